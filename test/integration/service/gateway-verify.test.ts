/** The service's signature on a forwarded request, and its verification by `miniseal-verify`. */
import { verifySignature, webcrypto } from 'http-message-sig'
import { importJWK } from 'jose'
import { beforeAll, expect, it } from 'vitest'
import type { Field } from '../../../crypto/frames/binary-http.ts'
import { encodeBase64Url, encodeUtf8 } from '../../../crypto/text.ts'
import type { Caller, JsonWebKeySet, VerifierOptions } from '../../../packages/verify/index.ts'
import { createVerifier, ProtocolError } from '../../../packages/verify/index.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { type ForwardedParts, forwarded, publishedSet, serviceKeyJwk } from '../../support/forwarded.ts'
import { sharedService, sharedSession, sharedUpstream } from '../../support/hooks.ts'
import { newDevice } from '../../support/raw-client.ts'
import type { Arrived } from '../../support/upstream.ts'

let jwks: JsonWebKeySet
/** What the service publishes, and a key of this test. */
let messageKeys: JsonWebKeySet
let published: JsonWebKeySet

const upstream = sharedUpstream((_request, response) => response.end('ok'))
const service = sharedService(() => ({ environment: { MINISEAL_UPSTREAMS: `/orders=${upstream.origin}` } }))
const session = sharedSession(service)

beforeAll(async () => {
  jwks = await publishedSet(service, 'jwks.json')
  published = await publishedSet(service, 'miniseal-keys.json')
  messageKeys = { keys: [...published.keys, serviceKeyJwk] }
})

/** What the backend gets when `session` posts an order. */
async function arrivedOrder(fields: readonly Field[] = []): Promise<Arrived> {
  const answer = await session.send({
    method: 'POST',
    path: "/orders/7?who='me'",
    body: { n: 1 },
    before: (message) => ({ ...message, fields: [...message.fields, ...fields] }),
  })
  expect(answer.status).toBe(200)
  return upstream.last()
}

function verified(request: Arrived, options: Partial<VerifierOptions> = {}): Promise<Caller> {
  const verify = createVerifier({ jwks, messageKeys, origin: service.origin, ...options })
  return verify(request, Buffer.from(request.body))
}

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work
    return undefined
  } catch (error) {
    if (error instanceof ProtocolError) return error.code
    throw error
  }
}

const expectedCaller = (): object => ({
  user: session.user,
  device: session.device.signer.keyid,
  session: Buffer.from(session.id).toString('base64url'),
  appid: service.appid,
  acr: 'session',
})

it('the gateway’s signature verifies with another library and the published keys, and covers the caller', async () => {
  const { headers, method, url } = await arrivedOrder()
  const fields = Object.entries(headers).map(([name, value]) => ({ name, value: String(value) }))
  const { parameters, components } = await verifySignature(
    { kind: 'request', method, targetUri: `https://${headers.host}${url}`, fields },
    {
      label: 'gateway',
      policy: {
        algorithms: ['ed25519'],
        requiredComponents: ['@method', 'authorization', 'miniseal-caller', 'miniseal-device-key'],
        requiredParameters: ['created', 'nonce', 'keyid', 'tag'],
      },
      resolveVerifier: async (candidate) => {
        const jwk = published.keys.find(({ kid }) => kid === candidate.parameters.keyid)
        const key = await importJWK(jwk ?? {}, 'EdDSA')
        if (key instanceof Uint8Array) throw new Error('not a public key')
        return webcrypto.verifier(key)
      },
    },
  )
  expect(parameters.tag).toBe('miniseal-gateway')
  expect(parameters).not.toHaveProperty('alg')
  expect(components.every((component) => Object.keys(component.parameters).length === 0)).toBe(true)
  expect(headers['miniseal-caller']).toBe(
    `user="${session.user}", device="${session.device.signer.keyid}", ` +
      `session="${Buffer.from(session.id).toString('base64url')}", app="${service.appid}", acr="session"`,
  )
})

it('the gateway’s signature follows the device’s, which is forwarded unchanged', async () => {
  let made: readonly Field[] = []
  await session.send({
    path: '/orders/1',
    after: (message) => {
      made = message.fields
      return message
    },
  })
  for (const name of ['signature-input', 'signature']) {
    const own = made.find(([field]) => field === name)?.[1] ?? 'absent'
    expect(upstream.last().headers[name]).toMatch(/, gateway=/)
    expect(String(upstream.last().headers[name]).startsWith(`${own}, gateway=`)).toBe(true)
  }
})

it.each([
  ['its label', 'gateway=("@method");created=1;keyid="k";tag="other"', 'gateway=:AAAA:'],
  ['its tag', 'mine=("@method");created=1;keyid="k";tag="miniseal-gateway"', 'mine=:AAAA:'],
])('the gateway removes a signature of the client under %s and keeps others', async (_, input, signature) => {
  const extended = (fields: readonly Field[]): readonly Field[] =>
    fields.map(([name, value]): Field => {
      if (name === 'signature-input') return [name, `${value}, ${input}, witness=("@path");created=1`]
      if (name === 'signature') return [name, `${value}, ${signature}, witness=:BBBB:`]
      return [name, value]
    })
  const answer = await session.send({
    path: '/orders/1',
    after: (message) => ({ ...message, fields: extended(message.fields) }),
  })
  expect(answer.status).toBe(200)
  const request = upstream.last()
  expect(request.headers['signature-input']).toMatch(/^sig=\(.*, witness=\("@path"\);created=1, gateway=\(/)
  expect(request.headers['signature-input']).not.toContain(input)
  expect(request.headers.signature).not.toContain(signature)
  expect(await verified(request)).toMatchObject(expectedCaller())
})

it('the verifier returns the caller of a Node request and the evidence', async () => {
  const caller = await verified(await arrivedOrder())
  expect(caller).toMatchObject(expectedCaller())
  expect(caller.signature.keyid).toBe(caller.device)
  expect(caller.signature.base).toContain('"@path": /orders/7\n')
  expect(caller.signature.publicKey).toEqual(session.device.publicKey)
})

it('the verifier accepts a Fetch request, whose body stays readable, and fetches the keys of the origin', async () => {
  await session.send({ method: 'PUT', path: '/orders/8', body: { n: 2 } })
  const { headers, method, url, body } = upstream.last()
  const fields = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)])
  const request = new Request(`http://10.0.0.5:9001${url}`, { method, headers: fields, body })
  expect(await createVerifier({ origin: service.origin })(request)).toMatchObject(expectedCaller())
  expect(await request.json()).toEqual({ n: 2 })
})

it('the verifier accepts a request without a body', async () => {
  await session.send({ path: '/orders' })
  expect(await verified(upstream.last())).toMatchObject(expectedCaller())
})

it('the verifier does not assume that a Node request has no body', async () => {
  const { method, url, headers } = await arrivedOrder()
  const verify = createVerifier({ jwks, messageKeys, origin: service.origin })
  await expect(verify({ method, url, headers })).rejects.toThrow(TypeError)
})

const edited = (name: string, edit: (value: string) => string) => (request: Arrived) => ({
  ...request,
  headers: { ...request.headers, [name]: edit(String(request.headers[name])) },
})
const removed = (name: string) => (request: Arrived) => ({
  ...request,
  headers: Object.fromEntries(Object.entries(request.headers).filter(([field]) => field !== name)),
})
const inGateway = (from: string | RegExp, to: string | ((found: string) => string)) =>
  edited('signature-input', (value) => {
    const [device, gateway] = value.split(', gateway=')
    return `${device}, gateway=${gateway?.replace(from, (found) => (typeof to === 'string' ? to : to(found)))}`
  })

const bare = (name: string) => edited(name, (value) => value.replace(/, gateway.*/, ''))
const spoiled: Readonly<Record<string, Readonly<Record<string, (request: Arrived) => Arrived>>>> = {
  signature_missing: {
    'without any signature': removed('signature'),
    'without the gateway’s signature': bare('signature'),
    'without the input of the gateway’s signature': bare('signature-input'),
  },
  signature_malformed: {
    'with a malformed signature': edited('signature', (v) => `${v}=`),
    'with an unknown parameter': inGateway(';keyid', ';expires=9999999999;keyid'),
    'with a short nonce': inGateway(/nonce="[^"]*"/, 'nonce="AAAA"'),
    'with a malformed list of components': inGateway(/\(.*$/, '"text"'),
    'with half a caller': edited('miniseal-caller', () => 'user="x"'),
    'whose caller has another member': edited('miniseal-caller', (v) => `${v}, admin="1"`),
    'whose caller is not a text': edited('miniseal-caller', (v) => v.replace(/user="[^"]*"/, 'user=?1')),
    'whose device key is no key': edited('miniseal-device-key', () => 'AAAA'),
  },
  alg_not_allowed: { 'that names an algorithm': inGateway(';keyid', ';alg="ed25519";keyid') },
  tag_invalid: {
    'with another tag of the gateway': inGateway('miniseal-gateway', 'other'),
    'with another tag of the device': edited('signature-input', (v) =>
      v.replace('tag="miniseal"', 'tag="other"'),
    ),
  },
  components_incomplete: {
    'that does not cover the caller': inGateway(' "miniseal-caller"', ''),
    'that does not cover the device key': inGateway(' "miniseal-device-key"', ''),
    'that does not cover the path': inGateway(' "@path"', ''),
    'without a covered field': removed('idempotency-key'),
    'without the caller': removed('miniseal-caller'),
  },
  digest_mismatch: { 'with another body': (request) => ({ ...request, body: '{"n":2}' }) },
  key_unknown: {
    'with another device key': edited('miniseal-device-key', () => newDevice().x),
    'signed by an unknown gateway key': inGateway(/keyid="[^"]*"/, 'keyid="other"'),
  },
  payload_invalid: {
    'with a method in lower case': (request) => ({ ...request, method: 'post' }),
    'with an empty segment': (request) => ({ ...request, url: `/${request.url}` }),
    'with a path parameter': (request) => ({ ...request, url: '/orders;x/7' }),
    'with an encoded letter in its path': (request) => ({ ...request, url: '/%6Frders/7' }),
  },
  signature_invalid: {
    'with another path': (request) => ({ ...request, url: '/orders/8' }),
    'with another method': (request) => ({ ...request, method: 'PUT' }),
    'with another caller': edited('miniseal-caller', (v) => v.replace('session"', 'soter"')),
    'signed by the gateway at another time': inGateway(
      /created=\d+/,
      (found) => `created=${Number(found.slice(8)) - 1}`,
    ),
  },
}
for (const [code, changes] of Object.entries(spoiled)) {
  it.each(Object.entries(changes))(`the verifier refuses a request %s with ${code}`, async (_, change) => {
    const request = forwarded(session)
    expect(await codeOf(verified(request))).toBeUndefined()
    const changed = change(request)
    expect(changed).not.toEqual(request)
    expect(await codeOf(verified(changed))).toBe(code)
  })
}

it.each<[string, string, () => ForwardedParts]>([
  ['is signed by another device', 'token_key_mismatch', () => ({ device: newDevice() })],
  ['carries no token', 'token_missing', () => ({ authorization: undefined })],
  ['carries a bearer token', 'token_invalid', () => ({ authorization: `Bearer ${session.token}` })],
  ['carries a changed token', 'token_invalid', () => ({ authorization: `HTTPSig ${session.token}x` })],
  ['names another user than the token', 'token_invalid', () => ({ caller: { user: 'other' } })],
  ['names another device than the token', 'token_invalid', () => ({ caller: { device: 'other' } })],
  ['names another session than the token', 'token_invalid', () => ({ caller: { session: 'other' } })],
  ['names another app than the token', 'token_invalid', () => ({ caller: { app: 'other' } })],
  ['names an unknown confirmation', 'signature_malformed', () => ({ caller: { acr: 'password' } })],
  ['was made too long ago', 'window_invalid', () => ({ created: service.now() - 140 })],
  ['was made in the future', 'window_invalid', () => ({ created: service.now() + 40 })],
  ['was forwarded too long ago', 'window_invalid', () => ({ gatewayCreated: service.now() - 70 })],
  ['was forwarded in the future', 'window_invalid', () => ({ gatewayCreated: service.now() + 40 })],
])('the verifier refuses a request that %s with %s', async (_title, code, parts) => {
  expect(await codeOf(verified(forwarded(session, parts())))).toBe(code)
})

it('the verifier refuses a token with a critical extension, with two bindings, or with a key id that two keys have', async () => {
  const { signer, x } = newDevice()
  const key = { kty: 'OKP', crv: 'Ed25519', kid: signer.keyid, x, miniseal_use: 'token' }
  const [header, claims] = session.token
    .split('.', 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()))
  const judge = async (head: object, cnf: object = {}, keys: JsonWebKeySet['keys'] = [key]) => {
    const signed = [
      { ...header, kid: key.kid, ...head },
      { ...claims, cnf: { ...claims.cnf, ...cnf } },
    ]
      .map((part) => encodeBase64Url(encodeUtf8(JSON.stringify(part))))
      .join('.')
    const signature = encodeBase64Url(primitives.ed25519Sign(encodeUtf8(signed), signer.secretKey))
    const request = forwarded(session, { authorization: `HTTPSig ${signed}.${signature}` })
    return await codeOf(verified(request, { jwks: { keys } }))
  }
  expect(await judge({})).toBeUndefined()
  expect(await judge({ crit: ['exp'] })).toBe('token_invalid')
  expect(await judge({}, { kid: 'other' })).toBe('token_invalid')
  expect(await judge({}, {}, [{ ...key, x: newDevice().x }, key])).toBe('token_invalid')
})

it('the verifier refuses an expired token, with a tolerance for clocks', async () => {
  const at = (seconds: number): Promise<string | undefined> => {
    const now = service.now() + seconds
    return codeOf(verified(forwarded(session, { created: now }), { now: () => now }))
  }
  expect(await at(600 - 60)).toBeUndefined()
  expect(await at(600 + 60)).toBe('token_expired')
})

it('the verifier refuses a request that was made for another origin', async () => {
  const request = forwarded(session)
  expect(await codeOf(verified(request, { origin: 'https://pay.example.com' }))).toBe('signature_invalid')
})

it('the verifier fails with unavailable when the keys cannot be fetched', async () => {
  const nowhere = new URL('http://127.0.0.1:1/.well-known/jwks.json')
  expect(await codeOf(verified(forwarded(session), { jwks: nowhere }))).toBe('unavailable')
  expect(await codeOf(verified(forwarded(session), { messageKeys: nowhere }))).toBe('unavailable')
})
