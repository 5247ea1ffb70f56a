import { randomBytes } from 'node:crypto'
import { importJWK, SignJWT } from 'jose'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { agreementKeyHint } from '../../../crypto/frames/handshake.ts'
import { decodeBase64, encodeBase64Url } from '../../../crypto/text.ts'
import {
  configurationLifetime,
  type Keyring,
  openKeyring,
  readServiceKey,
} from '../../../service/keys/keyring.ts'
import { jsonWebKeySet, noteVerifierKey, published } from '../../../service/keys/publication.ts'
import { revokeKey, rotateKey, rotateWhenDue } from '../../../service/keys/rotation.ts'
import { sodiumPrimitives } from '../../../service/keys/sodium-primitives.ts'
import { createSecretWrapper } from '../../../service/keys/wrapping.ts'
import { createTokenIssuer } from '../../../service/sessions/tokens.ts'
import { openStore } from '../../../service/store/open-store.ts'
import type { Store } from '../../../service/store/store.ts'

const now = 1_764_000_000
const subject = { user: 'u', appid: 'wx1', sid: 's', device: 'd' }
const wrapper = createSecretWrapper([new Uint8Array(randomBytes(32))])
let store: Store
let ring: Keyring

beforeEach(async () => {
  store = await openStore({ kind: 'sqlite', path: ':memory:' })
  ring = await openKeyring(store, wrapper, now)
})

afterEach(() => store.close())

it('one set of keys is created, however many processes start on an empty database', async () => {
  const empty = await openStore({ kind: 'sqlite', path: ':memory:' })
  const rings = await Promise.all(Array.from({ length: 8 }, () => openKeyring(empty, wrapper, now)))
  const kinds = (await empty.listServiceKeys()).map(({ kind }) => kind)
  expect(kinds.sort()).toEqual(['agreement', 'log', 'lookup', 'root', 'signing', 'token'])
  expect(new Set(rings.map((each) => each.current('root', now).kid)).size).toBe(1)
  await empty.close()
})

it('a new agreement key is used at once, and the old one is accepted until every configuration with it has expired', async () => {
  const old = ring.current('agreement', now)
  const hint = agreementKeyHint(sodiumPrimitives, old.publicKey)
  const { kid } = await rotateKey(store, wrapper, 'agreement', now + 100)
  await ring.reload()
  expect(published(ring, 'agreement', now + 100).map((key) => key.kid)).toEqual([kid, old.kid])
  expect((await ring.findAgreement(hint, now + configurationLifetime + 99))?.kid).toBe(old.kid)
  expect(await ring.findAgreement(hint, now + configurationLifetime + 100)).toBeUndefined()
  expect(published(ring, 'agreement', now + configurationLifetime + 100).map((key) => key.kid)).toEqual([kid])
})

it('a key that an attacker wrote into the database is not published', async () => {
  const [record] = (await store.listServiceKeys()).filter(({ kind }) => kind === 'token')
  if (record === undefined) throw new Error('no token key')
  const forged = sodiumPrimitives.ed25519KeyPair(new Uint8Array(32)).publicKey
  expect(readServiceKey(record, wrapper).kid).toBe(ring.current('token', now).kid)
  expect(() => readServiceKey({ ...record, publicKey: forged }, wrapper)).toThrow(/does not match its secret/)
  expect(() => readServiceKey({ ...record, kid: 'other' }, wrapper)).toThrow()
})

it('an agreement key that another process created is found', async () => {
  await rotateKey(store, wrapper, 'agreement', now)
  const made = (await store.listServiceKeys()).filter(({ kind }) => kind === 'agreement').at(-1)
  const hint = agreementKeyHint(sodiumPrimitives, made?.publicKey ?? new Uint8Array(32))
  expect((await ring.findAgreement(hint, now + 1))?.kid).toBe(made?.kid)
})

it('a new signing key is published a configuration’s lifetime before its first use', async () => {
  const old = ring.current('signing', now)
  const { kid, notBefore } = await rotateKey(store, wrapper, 'signing', now)
  await ring.reload()
  expect(notBefore).toBe(now + configurationLifetime)
  expect(published(ring, 'signing', now).map((key) => key.kid)).toEqual([old.kid, kid])
  expect(ring.current('signing', notBefore - 1).kid).toBe(old.kid)
  expect(ring.current('signing', notBefore).kid).toBe(kid)
})

it('the agreement key is rotated when it is a day old, once among several processes', async () => {
  const rings = await Promise.all(Array.from({ length: 4 }, () => openKeyring(store, wrapper, now)))
  const rotate = (at: number): Promise<boolean[]> =>
    Promise.all(rings.map((ring) => rotateWhenDue(store, wrapper, ring, at)))
  expect(await rotate(now + 86_399)).toEqual([false, false, false, false])
  expect(await rotate(now + 86_400)).toEqual([true, true, true, true])
  expect((await store.listServiceKeys()).filter(({ kind }) => kind === 'agreement')).toHaveLength(2)
  expect(new Set(rings.map((ring) => ring.current('agreement', now + 86_400).kid)).size).toBe(1)
})

it('tokens of the old token key are accepted until the last of them has expired', async () => {
  const issuer = createTokenIssuer(ring, 'https://pay.example.com')
  const token = await issuer.issue(subject, now)
  const elsewhere = await openKeyring(store, wrapper, now)
  await rotateKey(store, wrapper, 'token', now + 1)
  await ring.reload()
  // A process that has not reloaded its keys accepts a token of the new key.
  const newer = await issuer.issue(subject, now + 1)
  const late = createTokenIssuer(elsewhere, 'https://pay.example.com')
  expect(await late.verify(newer, now + 2, 'unexpired')).toEqual(subject)
  expect(await issuer.verify(token, now + 599, 'unexpired')).toEqual(subject)
  await expect(issuer.verify(token, now + 600, 'unexpired')).rejects.toMatchObject({ code: 'token_expired' })
  expect(jsonWebKeySet(ring, 'token', now + 2).keys).toHaveLength(2)
})

it('a token that was verified before is refused after its key was revoked', async () => {
  const issuer = createTokenIssuer(ring, 'https://pay.example.com')
  const token = await issuer.issue(subject, now)
  expect(await issuer.verify(token, now + 1, 'unexpired')).toEqual(subject)
  const { kid } = ring.current('token', now)
  await rotateKey(store, wrapper, 'token', now + 1)
  await ring.reload()
  expect(await issuer.verify(token, now + 2, 'unexpired')).toEqual(subject)
  await revokeKey(store, ring, 'token', kid, now + 2)
  await ring.reload()
  for (const age of ['unexpired', 'any'] as const)
    await expect(issuer.verify(token, now + 3, age)).rejects.toMatchObject({ code: 'token_invalid' })
})

it('tokens of another issuer, another algorithm or another type are refused', async () => {
  const token = await createTokenIssuer(ring, 'https://other.example.com').issue(subject, now)
  const issuer = createTokenIssuer(ring, 'https://pay.example.com')
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const none = `${part({ alg: 'none', typ: 'at+jwt' })}.${part({ sub: 'u' })}.`
  for (const wrong of [token, none, '', 'a.b.c']) {
    await expect(issuer.verify(wrong, now, 'any')).rejects.toMatchObject({ code: 'token_invalid' })
  }
})

it('a token of another type, issuer or audience is refused, even with a signature of the token key', async () => {
  const origin = 'https://pay.example.com'
  const other = 'https://other.example.com'
  const { kid, publicKey, secretKey } = ring.current('token', now)
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: encodeBase64Url(publicKey) }
  const key = await importJWK({ ...jwk, d: encodeBase64Url(secretKey.slice(0, 32)) }, 'EdDSA')
  const sign = ([typ, iss, aud]: readonly [string, string, string]): Promise<string> =>
    new SignJWT({ client_id: subject.appid, sid: subject.sid, cnf: { jkt: subject.device } })
      .setProtectedHeader({ alg: 'EdDSA', typ, kid })
      .setIssuer(iss)
      .setAudience(aud)
      .setSubject(subject.user)
      .setIssuedAt(now)
      .setExpirationTime(now + 600)
      .setJti('1')
      .sign(key)
  const issuer = createTokenIssuer(ring, origin)
  expect(await issuer.verify(await sign(['at+jwt', origin, origin]), now, 'unexpired')).toEqual(subject)
  for (const wrong of [
    ['JWT', origin, origin],
    ['at+jwt', other, origin],
    ['at+jwt', origin, other],
  ] as const)
    await expect(issuer.verify(await sign(wrong), now, 'unexpired')).rejects.toMatchObject({
      code: 'token_invalid',
    })
})

it('a wrapped secret can be unwrapped only in its own row and column, and never looks the same twice', () => {
  const secret = new Uint8Array(randomBytes(32))
  const place = { column: 'sessions.c2s_wrapped', row: 'a' }
  const wrapped = wrapper.wrap(secret, place)
  expect(wrapper.unwrap(wrapped, place)).toEqual(secret)
  expect(wrapper.wrap(secret, place)).not.toEqual(wrapped)
  expect(Buffer.from(wrapped).includes(Buffer.from(secret))).toBe(false)
  expect(() => wrapper.unwrap(wrapped, { ...place, row: 'b' })).toThrow()
  expect(() => wrapper.unwrap(wrapped, { ...place, column: 'sessions.s2c_wrapped' })).toThrow()
  for (const [index] of wrapped.entries()) {
    const changed = wrapped.slice()
    changed[index] = (changed[index] ?? 0) ^ 1
    expect(() => wrapper.unwrap(changed, place)).toThrow()
  }
})

it('secrets are unwrapped with an old master key and wrapped with the current one', () => {
  const [older, newer] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
  const place = { column: 'c', row: 'r' }
  const secret = Uint8Array.of(1, 2, 3)
  const before = createSecretWrapper([older]).wrap(secret, place)
  const both = createSecretWrapper([newer, older])
  expect(both.unwrap(before, place)).toEqual(secret)
  expect(createSecretWrapper([newer]).unwrap(both.wrap(secret, place), place)).toEqual(secret)
  expect(() => createSecretWrapper([newer]).unwrap(before, place)).toThrow(
    /master key that is not configured/,
  )
  expect(() => createSecretWrapper([])).toThrow()
  expect(() => createSecretWrapper([new Uint8Array(31)])).toThrow()
})

it('note verifier keys match the signed-note specification', () => {
  const vkey = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k'
  const publicKey = decodeBase64('AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k').slice(1)
  expect(noteVerifierKey('example.com/foo', publicKey)).toBe(vkey)
})
