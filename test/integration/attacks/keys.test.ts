/** An attacker with a single key, alone and in combination with other access. */
import { createHmac } from 'node:crypto'
import { importJWK, SignJWT } from 'jose'
import { expect, it } from 'vitest'
import { parseRequest, parseResponse, type ResponseMessage } from '../../../crypto/frames/binary-http.ts'
import type { ChannelConfiguration } from '../../../crypto/frames/channel-configuration.ts'
import { signConfiguration, verifyConfiguration } from '../../../crypto/frames/channel-configuration.ts'
import { type Frame, parseFrame } from '../../../crypto/frames/frame.ts'
import {
  deriveSession,
  openHandshakeRequest,
  openHandshakeResponse,
  sealHandshakeRequest,
} from '../../../crypto/frames/handshake.ts'
import { openRequest } from '../../../crypto/frames/session-keys.ts'
import { type MessageSigner, signRequest } from '../../../crypto/http-signatures/signed-request.ts'
import { signResponse, verifyResponse } from '../../../crypto/http-signatures/signed-response.ts'
import { decodeBase64Url, decodeUtf8, encodeBase64Url, encodeUtf8 } from '../../../crypto/text.ts'
import { createVerifier, type VerifierOptions } from '../../../packages/verify/index.ts'
import { accountKeyOf, addAuditor } from '../../../service/admin/api/accounts.ts'
import { cookieKeyOf } from '../../../service/admin/api/session.ts'
import { readOperatorPaths } from '../../../service/config/environment.ts'
import type { ServiceKey } from '../../../service/keys/keyring.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { createSecretWrapper, secretContext } from '../../../service/keys/wrapping.ts'
import { sandboxApp } from '../../../service/wechat/apps.ts'
import { newAuditor } from '../../support/audit-traffic.ts'
import { forwarded, publishedSet } from '../../support/forwarded.ts'
import { sharedService, sharedSession } from '../../support/hooks.ts'
import { logIn, newDevice, prepareLogin, random, send } from '../../support/raw-client.ts'
import { withStore } from '../../support/read-log.ts'
import { startTestService } from '../../support/service.ts'
import { stolenKey } from '../../support/stolen.ts'
import type { Arrived } from '../../support/upstream.ts'

const service = sharedService()
const alice = sharedSession(service, { openid: 'alice' })
const mallory = sharedSession(service, { openid: 'mallory' })

/** The frame of this kind. @throws Error for another one */
function frameOf<K extends Frame['kind']>(bytes: Uint8Array, kind: K): Extract<Frame, { kind: K }> {
  const frame = parseFrame(bytes, 1_048_576)
  if (frame.kind !== kind) throw new Error(`not a ${kind}`)
  return frame as Extract<Frame, { kind: K }>
}

const signerOf = ({ kid, secretKey }: ServiceKey): MessageSigner => ({ keyid: kid, secretKey })
const plainRequest = {
  method: 'GET',
  scheme: 'https',
  authority: 'x',
  path: '/',
  fields: [],
  content: random(0),
}

/** A token that the real service would have to believe by its signature. */
async function forgedToken(key: ServiceKey, user: string, device: string, sid: Uint8Array): Promise<string> {
  const seed = encodeBase64Url(key.secretKey.slice(0, 32))
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: encodeBase64Url(key.publicKey), d: seed }
  return await new SignJWT({
    client_id: service.appid,
    sid: encodeBase64Url(sid),
    cnf: { jkt: device },
  })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: key.kid })
    .setIssuer(service.origin)
    .setAudience(service.origin)
    .setSubject(user)
    .setIssuedAt(service.now())
    .setExpirationTime(service.now() + 600)
    .setJti('forged')
    .sign(await importJWK(jwk, 'EdDSA'))
}

it('a stolen agreement key decrypts recorded logins and no frame of their sessions', async () => {
  const agreement = await stolenKey(service, 'agreement')
  const code = await service.code('carol')
  const login = await prepareLogin(service, { code })
  let answered = new Uint8Array()
  const open = (bytes: Uint8Array): ResponseMessage => {
    answered = bytes.slice()
    return login.open(bytes)
  }
  const carol = login.session(await send(service, { ...login, open }))
  const request = frameOf(login.frame, 'handshake-request')
  const answer = frameOf(answered, 'handshake-response')
  const later = frameOf(carol.prepare().frame, 'request')
  const { plaintext, state } = openHandshakeRequest(primitives, agreement, request)
  expect(decodeUtf8(parseRequest(plaintext).content)).toContain(code)
  // Both ephemeral keys are public, and what they agree on is not made from S.
  for (const peer of [request.ephemeral, answer.ephemeral]) {
    const known = { ...state, es: state.es.slice() }
    const { session } = deriveSession(primitives, known, agreement.secretKey, peer, answer.ephemeral)
    expect(() => openRequest(primitives, session, later)).toThrow('cannot be opened')
  }
})

it('a network attacker with the agreement key cannot move a login signature into another handshake', async () => {
  const agreement = await stolenKey(service, 'agreement')
  const code = await service.code('dave')
  const held = await prepareLogin(service, { code })
  const frame = frameOf(held.frame, 'handshake-request')
  // The very bytes that the device signed, under an ephemeral key of the thief's.
  const { plaintext } = openHandshakeRequest(primitives, agreement, frame)
  const secretKey = random(32)
  const ephemeral = { secretKey, publicKey: primitives.x25519PublicKey(secretKey) }
  const moved = sealHandshakeRequest(primitives, agreement.publicKey, ephemeral, random(24), plaintext)
  const open = (bytes: Uint8Array): ResponseMessage => {
    const answer = frameOf(bytes, 'handshake-response')
    const keys = deriveSession(primitives, moved.state, secretKey, answer.ephemeral, answer.ephemeral)
    return parseResponse(openHandshakeResponse(primitives, keys.responseKey, answer))
  }
  const { json } = await send(service, { frame: moved.frame, open })
  expect(json).toMatchObject({ code: 'payload_invalid', step: 'key' })
  // Neither nonce nor code is used up: the login itself arrives later, and is its owner's.
  const reply = await send(service, held)
  expect(reply.status).toBe(201)
  expect((await held.session(reply).send({ path: '/wallet' })).status).toBe(200)
})

it('a network attacker with the current agreement key can use the code of a delayed login, the one known gap', async () => {
  const agreement = await stolenKey(service, 'agreement')
  const held = await prepareLogin(service, { openid: 'alice' })
  const frame = frameOf(held.frame, 'handshake-request')
  const { content } = parseRequest(openHandshakeRequest(primitives, agreement, frame).plaintext)
  const { code } = JSON.parse(decodeUtf8(content)) as { code: string }
  expect((await logIn(service, { code })).user).toBe(alice.user)
  // The person sees that something is wrong: their own login is refused, and their devices show one more.
  expect((await send(service, held)).json.code).toBe('login_code_used')
  const { json } = await alice.send({ path: '/devices' })
  expect(json.devices.length).toBeGreaterThan(1)
})

it('a network attacker with the root key impersonates the service to clients that pin it and to no others', async () => {
  const root = await stolenKey(service, 'root')
  const own = newDevice()
  const signing = [{ kid: own.signer.keyid, publicKey: own.publicKey, nbf: 0, exp: 0 }]
  const forged: ChannelConfiguration = { ...alice.configuration, signing }
  const jws = signConfiguration(primitives, forged, root)
  const pinned = service.roots.map((each) => decodeBase64Url(each))
  expect(verifyConfiguration(primitives, jws, pinned, service.now()).signing).toEqual(signing)
  expect(() => verifyConfiguration(primitives, jws, [own.publicKey], service.now())).toThrow(/root/)
})

it('a stolen signing key forges responses that verify outside the channel', async () => {
  const key = await stolenKey(service, 'signing')
  const request = signRequest(primitives, plainRequest, alice.device.signer, service.now(), random(16))
  const answer = {
    status: 200,
    fields: [['content-type', 'text/plain']],
    content: encodeUtf8('paid'),
  } as const
  const signed = signResponse(primitives, answer, request, signerOf(key), service.now())
  verifyResponse(primitives, signed, request, alice.configuration.signing)
})

it('forging a request to a backend requires both the signing key and the token key', async () => {
  const signing = await stolenKey(service, 'signing')
  const device = newDevice()
  const token = await forgedToken(
    await stolenKey(service, 'token'),
    alice.user,
    device.signer.keyid,
    alice.id,
  )
  const gateway = signerOf(signing)
  const authorization = `HTTPSig ${token}`
  await expect(verified(forwarded(alice, { device, authorization }))).rejects.toThrow()
  await expect(verified(forwarded(alice, { device, gateway }))).rejects.toThrow()
  await expect(
    verified(forwarded(alice, { gateway: device.signer, authorization, device })),
  ).rejects.toThrow()
  expect(await verified(forwarded(alice, { device, authorization, gateway }))).toBe(alice.user)
})

it('a signing key signs no token that a backend or the service accepts', async () => {
  const signing = await stolenKey(service, 'signing')
  const gateway = signerOf(signing)
  const token = await forgedToken(signing, alice.user, alice.device.signer.keyid, alice.id)
  const request = forwarded(alice, { authorization: `HTTPSig ${token}`, gateway })
  for (const keys of await everyWayToShowTheKeys())
    await expect(verified(request, keys)).rejects.toMatchObject({ code: 'token_invalid' })
  expect((await alice.send({ token })).json.code).toBe('token_invalid')
})

/** Both documents as they are, exchanged, and each with the keys of both. */
async function everyWayToShowTheKeys(): Promise<readonly Pick<VerifierOptions, 'jwks' | 'messageKeys'>[]> {
  const jwks = await publishedSet(service, 'jwks.json')
  const messageKeys = await publishedSet(service, 'miniseal-keys.json')
  const all = { keys: [...jwks.keys, ...messageKeys.keys] }
  const address = (name: string): URL => new URL(`/.well-known/${name}`, service.origin)
  return [
    { jwks, messageKeys },
    { jwks: all, messageKeys: all },
    { jwks: address('jwks.json'), messageKeys: address('miniseal-keys.json') },
    { jwks: all, messageKeys: jwks },
    { jwks: messageKeys, messageKeys: all },
  ]
}

async function verified(request: Arrived, keys: Partial<VerifierOptions> = {}): Promise<string> {
  const verify = createVerifier({ origin: service.origin, ...keys })
  return (await verify(request, Buffer.from(request.body))).user
}

it('each purpose of a key has its own key document and no key is in both', async () => {
  const uses = async (name: Parameters<typeof publishedSet>[1]): Promise<unknown> =>
    (await publishedSet(service, name)).keys.map(({ kid, ...key }) => [kid, Object.entries(key).at(-2)])
  const kid = async (kind: 'token' | 'signing'): Promise<string> => (await stolenKey(service, kind)).kid
  expect(await uses('jwks.json')).toEqual([[await kid('token'), ['miniseal_use', 'token']]])
  expect(await uses('miniseal-keys.json')).toEqual([[await kid('signing'), ['miniseal_use', 'message']]])
})

it('a token key signs no gateway request and no response that verifies', async () => {
  const key = await stolenKey(service, 'token')
  const signer = signerOf(key)
  const request = forwarded(alice, { gateway: signer })
  const all = [...(await everyWayToShowTheKeys())]
  const [asPublished] = all.splice(0, 1)
  await expect(verified(request, asPublished)).rejects.toMatchObject({ code: 'key_unknown' })
  for (const keys of all)
    await expect(verified(request, keys)).rejects.toMatchObject({
      code: expect.stringMatching(/^(key_unknown|token_invalid)$/),
    })
  const signedRequest = signRequest(primitives, plainRequest, alice.device.signer, service.now(), random(16))
  const plain = { status: 200, fields: [], content: random(0) } as const
  const answer = signResponse(primitives, plain, signedRequest, signer, service.now())
  expect(() => verifyResponse(primitives, answer, signedRequest, alice.configuration.signing)).toThrow(
    expect.objectContaining({ code: 'key_unknown' }),
  )
})

it('a stolen token key gains nothing at the service, which compares session, device and user', async () => {
  const key = await stolenKey(service, 'token')
  for (const [user, device, sid] of [
    [alice.user, mallory.device.signer.keyid, mallory.id],
    [alice.user, mallory.device.signer.keyid, alice.id],
    [alice.user, alice.device.signer.keyid, mallory.id],
    [alice.user, alice.device.signer.keyid, alice.id],
  ] as const) {
    const token = await forgedToken(key, user, device, sid)
    expect((await mallory.send({ token })).status).toBe(401)
  }
  const own = await forgedToken(key, mallory.user, mallory.device.signer.keyid, mallory.id)
  expect((await mallory.send({ token: own })).status).toBe(200)
})

it('the service does not start with one of its own keys as a push key', async () => {
  const own = await startTestService()
  const keys = await Promise.all(
    (['signing', 'token', 'root', 'log'] as const).map((kind) => stolenKey(own, kind)),
  )
  await own.stop()
  for (const { kind, publicKey } of keys) {
    const environment = { ...own.environment, MINISEAL_PUSH_KEYS: `orders=${encodeBase64Url(publicKey)}` }
    await expect(startTestService({ environment })).rejects.toThrow(`orders is the service's own ${kind} key`)
  }
})

it('stolen session keys decrypt frames but sign no request without the device key', async () => {
  const frame = frameOf(alice.prepare({ path: '/wallet/secret' }).frame, 'request')
  expect(parseRequest(openRequest(primitives, alice.keys, frame)).path).toBe('/wallet/secret')
  const { signer } = mallory.device
  expect((await alice.send({ signer })).status).toBe(401)
  const named = { ...signer, keyid: alice.device.signer.keyid }
  expect((await alice.send({ signer: named })).json.code).toBe('signature_invalid')
})

it('a stolen device key and token cannot make a request without the session keys, or log in', async () => {
  const { signer } = alice.device
  const { token } = alice
  expect((await mallory.send({ signer, token })).status).toBe(401)
  const login = await prepareLogin(service, { openid: 'mallory', device: alice.device })
  expect((await send(service, login)).json.code).toBe('device_key_refused')
})

it('a stolen token alone is useless in any session and with any key', async () => {
  expect((await mallory.send({ token: alice.token })).json.code).toBe('token_key_mismatch')
  const headers = { authorization: `Bearer ${alice.token}` }
  for (const path of ['/wallet', '/sessions', '/log/tile/entries/000.p/1', '/audit/api/entries'])
    expect([401, 404]).toContain((await fetch(`${service.url}${path}`, { headers })).status)
  // At a backend: with the thief's own signature in the place of the device's.
  const request = forwarded(alice, { device: newDevice() })
  await expect(verified(request)).rejects.toMatchObject({ code: 'token_key_mismatch' })
})

it('the lookup key reveals the pairwise subject of a person', async () => {
  const { secretKey } = await stolenKey(service, 'lookup')
  const digest = createHmac('sha256', secretKey).update(`${service.appid}\nalice`).digest()
  expect(`u_${digest.subarray(0, 18).toString('base64url')}`).toBe(alice.user)
})

it('the lookup key and a database copy do not sign in as an auditor', async () => {
  await newAuditor(service, 'lin', 'reader')
  const { secretKey } = await stolenKey(service, 'lookup')
  const [row] = await withStore(service.environment, (store) => store.listAuditors())
  const value = [encodeBase64Url(row?.tokenHash ?? random(0)), service.now(), service.now()].join('.')
  const mac = createHmac('sha256', cookieKeyOf(secretKey)).update(value).digest('base64')
  const cookie = `miniseal-audit=${encodeURIComponent(`${value}.${mac}`)}`
  expect((await fetch(`${service.url}/audit/api/session`, { headers: { cookie } })).status).toBe(401)
})

it('the lookup key and write access to the database create an auditor', async () => {
  const { secretKey } = await stolenKey(service, 'lookup')
  const made = { name: 'made-up', role: 'discloser', now: service.now(), days: 1 } as const
  const token = await withStore(service.environment, (store) =>
    addAuditor(store, accountKeyOf(secretKey), made),
  )
  const headers = { authorization: `Bearer ${token}` }
  expect((await fetch(`${service.url}/log/tile/entries/000.p/1`, { headers })).status).toBe(200)
})

it('a stolen AppSecret can consume an observed login code but cannot log in', async () => {
  const code = await service.code('dave')
  const query = new URLSearchParams({
    appid: sandboxApp.appid,
    secret: sandboxApp.secret,
    js_code: code,
    grant_type: 'authorization_code',
  })
  const answer = (await (await fetch(`${service.sandboxUrl}/sns/jscode2session?${query}`)).json()) as {
    openid: string
  }
  expect(answer.openid).toBe('dave')
  const reply = await send(service, await prepareLogin(service, { code }))
  expect(reply.json.code).toMatch(/^login_code_/)
})

it('the master key and a database copy decrypt every recorded frame of a stored session', async () => {
  const recorded = alice.prepare({ path: '/wallet/recorded' }).frame
  const { masterKeys } = readOperatorPaths(service.environment)
  const wrapper = createSecretWrapper(masterKeys ?? [])
  const row = await withStore(service.environment, (store) => store.findSession(alice.id))
  if (row === undefined) throw new Error('no session')
  const c2s = wrapper.unwrap(row.c2sWrapped, secretContext('sessions.c2s_wrapped', [alice.id]))
  if (c2s === undefined) throw new Error('not unwrapped')
  const frame = frameOf(recorded, 'request')
  const opened = parseRequest(openRequest(primitives, { c2s, s2c: c2s }, frame))
  expect(opened.path).toBe('/wallet/recorded')
})
