/** What `verifyMiniseal` tells the log of a backend, and what it tells whoever caught the error. */
import { expect, it, vi } from 'vitest'
import type { RequestMessage } from '../../../crypto/frames/binary-http.ts'
import type { ExplainedRefusal, JsonWebKeySet, NodeRequest } from '../../../service/verify.ts'
import { verifyMiniseal } from '../../../service/verify.ts'
import type { NamedKey } from '../../support/captured.ts'
import { created, forwardedRequest, service, token, tokens } from '../../support/captured.ts'

const setOf = ({ signer, publicKey, known }: NamedKey): JsonWebKeySet => ({
  keys: [
    {
      ...{ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', kid: signer.keyid, miniseal_use: known.purpose },
      x: Buffer.from(publicKey).toString('base64url'),
    },
  ],
})
const keys = { jwks: setOf(tokens), messageKeys: setOf(service) }

async function refused(
  message: RequestMessage,
): Promise<{ error: unknown; told: readonly ExplainedRefusal[] }> {
  const told: ExplainedRefusal[] = []
  const request: NodeRequest = {
    method: message.method,
    url: message.path,
    headers: { host: message.authority, ...Object.fromEntries(message.fields) },
  }
  const error: unknown = await verifyMiniseal(request, {
    ...{ ...keys, origin: 'https://pay.example.com', body: message.content, now: () => created + 5 },
    onRefused: (refusal) => told.push(refusal),
  }).catch((thrown: unknown) => thrown)
  return { error, told }
}

it('says nothing of a request that is good', async () => {
  const { error, told } = await refused(forwardedRequest())
  expect(error).toMatchObject({ user: 'u_somebody' })
  expect(told).toEqual([])
})

it('tells the log what was changed, and the caller of the function the code alone', async () => {
  const later = vi.spyOn(performance, 'now').mockReturnValue(1e9)
  try {
    const message = { ...forwardedRequest(), path: '/wallet/transfers?a=1%20c&b=2' }
    const { error, told } = await refused(message)
    expect(error).toMatchObject({
      code: 'signature_invalid',
      message: 'the signature does not verify',
      cause: undefined,
    })
    expect(told).toHaveLength(1)
    expect(told[0]?.code).toBe('signature_invalid')
    expect(told[0]?.text).toContain('the parameters of the query stand in another order: ?b=2&a=1%20c')
    expect(told[0]?.text).toContain('First byte that differs')
    expect(told[0]?.text).not.toContain(token.slice(0, 60))
    // Strangers can send as many as they like: the search is not theirs to start each time.
    const again = await refused(message)
    expect(again.told).toEqual([{ code: 'signature_invalid', text: 'the signature does not verify' }])
    later.mockReturnValue(1e9 + 2000)
    expect((await refused(message)).told[0]?.text).toContain('First byte that differs')
  } finally {
    later.mockRestore()
  }
})

it('tells of a body that was written anew', async () => {
  const content = new Uint8Array(Buffer.from('{"payee": "bob", "amount": "12.50"}'))
  const later = vi.spyOn(performance, 'now').mockReturnValue(1e9 + 10_000)
  try {
    const { error, told } = await refused({ ...forwardedRequest(), content })
    expect(error).toMatchObject({ code: 'digest_mismatch' })
    expect(told[0]?.text).toContain('the body fits when its JSON is minified')
  } finally {
    later.mockRestore()
  }
})
