/** What a verifier passes to `onRefused`, and what its error discloses. */
import { expect, it, vi } from 'vitest'
import type { RequestMessage } from '../../../crypto/frames/binary-http.ts'
import type { ExplainedRefusal, JsonWebKeySet, NodeRequest } from '../../../packages/verify/index.ts'
import { createVerifier } from '../../../packages/verify/index.ts'
import { created, forwardedRequest, type NamedKey, service, token, tokens } from '../../support/captured.ts'

const setOf = ({ signer, publicKey, known }: NamedKey): JsonWebKeySet => ({
  keys: [
    {
      ...{ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', kid: signer.keyid, miniseal_use: known.use ?? '' },
      x: Buffer.from(publicKey).toString('base64url'),
    },
  ],
})
const keys = { jwks: setOf(tokens), messageKeys: setOf(service) }

let refusals: ExplainedRefusal[] = []
const verify = createVerifier({
  ...{ ...keys, origin: 'https://pay.example.com', now: () => created + 5 },
  onRefused: (refusal) => refusals.push(refusal),
})

async function verified(
  message: RequestMessage,
): Promise<{ error: unknown; refusals: readonly ExplainedRefusal[] }> {
  refusals = []
  const request: NodeRequest = {
    method: message.method,
    url: message.path,
    headers: { host: message.authority, ...Object.fromEntries(message.fields) },
  }
  const error: unknown = await verify(request, message.content).catch((thrown: unknown) => thrown)
  return { error, refusals }
}

it('onRefused is not called for a verified request', async () => {
  const result = await verified(forwardedRequest())
  expect(result).toMatchObject({ error: { user: 'u_somebody' }, refusals: [] })
})

it('onRefused gets the change that explains the refusal, at most once a second; the error has its code alone', async () => {
  const clock = vi.spyOn(performance, 'now').mockReturnValue(1e9)
  try {
    const message = { ...forwardedRequest(), path: '/wallet/transfers?a=1%20c&b=2' }
    const { error, refusals: first } = await verified(message)
    expect(error).toMatchObject({
      code: 'signature_invalid',
      message: 'the signature does not verify',
      cause: undefined,
    })
    expect(first).toHaveLength(1)
    expect(first[0]?.code).toBe('signature_invalid')
    expect(first[0]?.text).toContain('the query parameters are in another order: ?b=2&a=1%20c')
    expect(first[0]?.text).toContain('First byte that differs')
    expect(first[0]?.text).not.toContain(token.slice(0, 60))
    const second = await verified(message)
    expect(second.refusals).toEqual([{ code: 'signature_invalid', text: 'the signature does not verify' }])
    clock.mockReturnValue(1e9 + 2000)
    expect((await verified(message)).refusals[0]?.text).toContain('First byte that differs')
  } finally {
    clock.mockRestore()
  }
})

it('onRefused gets the form of the body that was signed', async () => {
  const content = new Uint8Array(Buffer.from('{"payee": "bob", "amount": "12.50"}'))
  const clock = vi.spyOn(performance, 'now').mockReturnValue(1e9 + 10_000)
  try {
    const { error, refusals: reported } = await verified({ ...forwardedRequest(), content })
    expect(error).toMatchObject({ code: 'digest_mismatch' })
    expect(reported[0]?.text).toContain('the body verifies when its JSON is minified')
  } finally {
    clock.mockRestore()
  }
})
