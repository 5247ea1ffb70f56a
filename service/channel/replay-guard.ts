/** Copies of a request, recognized by their nonce. */
import type { RequestSignature } from 'miniseal-protocol/http-signatures/signed-request'
import { encodeBase64Url } from 'miniseal-protocol/text'
import { ProblemError } from '../problems/problem-error.ts'
import type { Store } from '../store/store.ts'

/** Refuses copies of a request before they count for any limit. The durable claim of the nonce decides. */
export interface ReplayGuard {
  /**
   * @returns leaves the guard; call it once the claim has been committed or refused
   * @throws ProblemError `replayed` for a nonce that is stored, or being claimed in this process.
   * @throws StoreUnavailable
   */
  enter(signature: RequestSignature): Promise<() => void>
}

export function createReplayGuard(store: Pick<Store, 'hasNonce'>): ReplayGuard {
  const claiming = new Set<string>()
  return {
    async enter({ keyid, nonce }) {
      const name = `${keyid} ${encodeBase64Url(nonce)}`
      if (claiming.has(name)) throw replayed()
      claiming.add(name)
      const leave = (): void => void claiming.delete(name)
      try {
        if (await store.hasNonce(keyid, nonce)) throw replayed()
        return leave
      } catch (error) {
        leave()
        throw error
      }
    },
  }
}

export function replayed(): ProblemError {
  return new ProblemError('replayed', 'the request was received before')
}
