/** Copies of a request, by its nonce: refused before anything is counted for its user or device. */
import { ProtocolError } from 'miniseal-protocol/errors'
import type { RequestSignature } from 'miniseal-protocol/http-signatures/signed-request'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { Store } from '../store/store.ts'

export interface Copies {
  /**
   * Looks a nonce up: among those that are being claimed in this process, then in the store. The claim itself still
   * decides: another process may be claiming the same nonce.
   *
   * @returns ends the claiming; call it once the claim has been made or refused.
   * @throws ProtocolError `replayed`. @throws StoreUnavailable
   */
  assertFirst(signature: RequestSignature): Promise<() => void>
}

export function createCopies(store: Pick<Store, 'hasNonce'>): Copies {
  const claiming = new Set<string>()
  return {
    async assertFirst({ keyid, nonce }) {
      const name = `${keyid} ${encodeBase64Url(nonce)}`
      if (claiming.has(name)) throw replayed()
      claiming.add(name)
      const end = (): void => void claiming.delete(name)
      try {
        if (await store.hasNonce(keyid, nonce)) throw replayed()
        return end
      } catch (error) {
        end()
        throw error
      }
    },
  }
}

export function replayed(): ProtocolError {
  return new ProtocolError('replayed', 'the request was received before')
}
