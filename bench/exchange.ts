/** The timed exchange of a request and its response, without a network. Runs in the engine, so it is ES2018. */
import type { RequestMessage } from '../crypto/frames/binary-http.ts'
import { encodeRequest, encodeResponse, parseResponse } from '../crypto/frames/binary-http.ts'
import { parseFrame } from '../crypto/frames/frame.ts'
import { padMessage } from '../crypto/frames/padding.ts'
import { openResponse, sealRequest, sealResponse } from '../crypto/frames/session-keys.ts'
import { signRequest } from '../crypto/http-signatures/signed-request.ts'
import { signResponse, verifyResponse } from '../crypto/http-signatures/signed-response.ts'
import { createJsPrimitives, loadCurves } from '../crypto/primitives/primitives-js.ts'
import { keyThumbprint } from '../crypto/primitives/thumbprint.ts'
import { encodeUtf8 } from '../crypto/text.ts'

export interface Bench {
  /** Whose curves. */
  readonly curves: string
  /** Signs and seals a request with a body of 1 KB. */
  readonly outgoing: () => Uint8Array
  /** Opens and verifies its answer. */
  readonly incoming: () => void
}

const now = 1_764_000_000

/** @param random at least 300 bytes */
export async function prepare(random: readonly number[]): Promise<Bench> {
  const primitives = createJsPrimitives(await loadCurves())
  let used = 0
  const take = (length: number): Uint8Array => {
    used += length
    return Uint8Array.from(random.slice(used - length, used))
  }
  const device = primitives.ed25519KeyPair(take(32))
  const service = primitives.ed25519KeyPair(take(32))
  const signer = { keyid: keyThumbprint(primitives, device.publicKey), secretKey: device.secretKey }
  const serviceKey = {
    kid: keyThumbprint(primitives, service.publicKey),
    publicKey: service.publicKey,
    nbf: 0,
    exp: 0,
  }
  const keys = { c2s: take(32), s2c: take(32) }
  const [sessionId, nonce, signatureNonce] = [take(16), take(24), take(16)]
  const content = encodeUtf8(JSON.stringify({ text: 'x'.repeat(1000) }))
  const message: RequestMessage = {
    method: 'POST',
    scheme: 'https',
    authority: 'pay.example.com',
    path: '/wallet/transfers',
    fields: [
      ['content-type', 'application/json'],
      ['idempotency-key', '"key-1"'],
      ['authorization', `HTTPSig ${'t'.repeat(400)}`],
    ],
    content,
  }
  const sign = (): RequestMessage => signRequest(primitives, message, signer, now, signatureNonce)
  const request = sign()
  const response = signResponse(
    primitives,
    { status: 200, fields: [['content-type', 'application/json']], content },
    request,
    { keyid: serviceKey.kid, secretKey: service.secretKey },
    now,
  )
  const answer = sealResponse(primitives, keys, nonce, nonce, padMessage(encodeResponse(response)))
  return {
    curves: primitives.name,
    outgoing: () => sealRequest(primitives, keys, sessionId, nonce, padMessage(encodeRequest(sign()))),
    incoming: () => {
      const frame = parseFrame(answer, 1_048_576)
      if (frame.kind !== 'response') throw new Error('not a response')
      verifyResponse(primitives, parseResponse(openResponse(primitives, keys, frame)), request, [serviceKey])
    },
  }
}
