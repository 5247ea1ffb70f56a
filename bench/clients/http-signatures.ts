/** Clients of the peer in `../peers/http-signatures.ts`. */
import { createPrivateKey, createPublicKey, randomUUID } from 'node:crypto'
import type { Request as SignedRequest } from 'http-message-signatures'
import { createSigner, createVerifier, httpbis } from 'http-message-signatures'
import { CompactEncrypt, compactDecrypt, importJWK } from 'jose'
import { fieldOf, requestBytes, type WireResponse } from '../load/connection.ts'
import type { Prepared } from '../load/loops.ts'
import type { SigningCredentials } from '../peers/http-signatures.ts'
import { digestField, requestFields, responseFields, signatureParams } from '../peers/http-signatures.ts'
import { peerOrigin } from '../peers/peer.ts'
import type { PeerClient, Target } from './client.ts'
import { assertTransferResponse, repeat, transferBody } from './client.ts'

export function httpSignaturesClient({ secrets }: Target): PeerClient {
  const serverKey = createPublicKey(secrets.server ?? '')
  const verify = createVerifier(serverKey, 'ed25519')
  const clients = (JSON.parse(secrets.clients ?? '[]') as readonly SigningCredentials[]).map((client) => ({
    signer: createSigner(createPrivateKey(client.key), 'ed25519', client.id),
    contentKey: importJWK(client.contentKey, 'A256GCM'),
  }))
  const make = async (index: number, created: Date, body: string): Promise<Prepared> => {
    const client = clients[index % clients.length]
    if (client === undefined) throw new Error('no client has enrolled')
    const contentKey = await client.contentKey
    const sealed = await new CompactEncrypt(new TextEncoder().encode(body))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .encrypt(contentKey)
    const request = await httpbis.signMessage(
      {
        key: client.signer,
        fields: [...requestFields],
        params: [...signatureParams],
        paramValues: { created, nonce: randomUUID(), tag: 'transfer' },
      },
      {
        method: 'POST',
        url: `${peerOrigin}/transfers`,
        headers: { 'content-type': 'application/jose', 'content-digest': digestField(sealed) },
      },
    )
    return {
      bytes: requestBytes('POST', '/transfers', request.headers as Record<string, string>, sealed),
      check: async (response) => {
        await verifyTransferResponse(response, request, verify)
        const { plaintext } = await compactDecrypt(response.body, contentKey)
        assertTransferResponse(response, new TextDecoder().decode(plaintext))
      },
    }
  }
  return {
    prepare: (_shape, count, content) =>
      repeat(count, (index) => make(index, new Date(), transferBody(content, index))),
    expired: () => make(0, new Date(Date.now() - 600_000), transferBody(200, 0)),
  }
}

async function verifyTransferResponse(
  response: WireResponse,
  request: SignedRequest,
  verify: ReturnType<typeof createVerifier>,
): Promise<void> {
  const names = ['content-type', 'content-digest', 'signature', 'signature-input']
  const headers = Object.fromEntries(names.map((name) => [name, fieldOf(response, name) ?? '']))
  // The package compares the names alone with what is required; the binding to the request is in the signature base.
  const isGood = await httpbis.verifyMessage(
    { keyLookup: async () => ({ verify }), requiredFields: responseFields.slice(0, 3) },
    { status: response.status, headers },
    request,
  )
  if (isGood !== true) throw new Error('the signature of the response does not verify')
  if (headers['content-digest'] !== digestField(String(response.body))) throw new Error('the digest is wrong')
}
