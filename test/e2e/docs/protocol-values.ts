/** The example of `docs/reference/protocol.md`: a login, a request and its response, from fixed keys and nonces. */
import type { Field, RequestMessage, ResponseMessage } from '../../../crypto/frames/binary-http.ts'
import { encodeRequest, encodeResponse, findField } from '../../../crypto/frames/binary-http.ts'
import { handshakeHash } from '../../../crypto/frames/handshake.ts'
import { padMessage } from '../../../crypto/frames/padding.ts'
import { signatureBase } from '../../../crypto/http-signatures/signature-base.ts'
import { signRequest } from '../../../crypto/http-signatures/signed-request.ts'
import { signResponse } from '../../../crypto/http-signatures/signed-response.ts'
import type { InnerList } from '../../../crypto/http-signatures/structured-fields.ts'
import { parseDictionary } from '../../../crypto/http-signatures/structured-fields.ts'
import { decodeBase64, encodeAscii, encodeBase64, encodeBase64Url, encodeUtf8 } from '../../../crypto/text.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { agreementPair, device, fixed, now, root, service } from '../../unit/crypto/fixed-inputs.ts'
import { handshakeSteps } from '../../unit/crypto/handmade-handshake.ts'

const authority = 'pay.example.com'
const origin = `https://${authority}`
const appid = 'wx0123456789abcdef'
const sessionId = fixed('example: session', 16)
const user = `u_${encodeBase64Url(fixed('example: user', 18))}`

export const keys = {
  root,
  service,
  token: tokenKey(),
  device,
  agreement: agreementPair('example: agreement key'),
  client: agreementPair('example: ephemeral key of the client'),
  server: agreementPair('example: ephemeral key of the service'),
  sessionId,
}

function tokenKey(): {
  readonly seed: Uint8Array
  readonly publicKey: Uint8Array
  readonly secretKey: Uint8Array
} {
  const seed = fixed('example: token key')
  return { seed, ...primitives.ed25519KeyPair(seed) }
}

/** A signed message and its signature base. */
export interface Signed<M> {
  readonly message: M
  readonly base: string
  readonly signature: Uint8Array
  readonly encoded: Uint8Array
  readonly padded: Uint8Array
}

function jsonField(value: unknown): { readonly fields: readonly Field[]; readonly content: Uint8Array } {
  return { fields: [['content-type', 'application/json']], content: encodeUtf8(JSON.stringify(value)) }
}

function request(
  path: string,
  value: unknown,
  more: readonly Field[],
  nonce: string,
): Signed<RequestMessage> {
  const { fields, content } = jsonField(value)
  const plain = { method: 'POST', scheme: 'https', authority, path, fields: [...fields, ...more], content }
  const message = signRequest(primitives, plain, device, now, fixed(nonce, 16))
  const encoded = encodeRequest(message)
  return { message, ...signatureOf(message, { request: message }), encoded, padded: padMessage(encoded) }
}

function response(
  status: number,
  value: unknown,
  more: readonly Field[],
  to: RequestMessage,
): Signed<ResponseMessage> {
  const { fields, content } = jsonField(value)
  const plain = { status, fields: [...fields, ...more], content }
  const message = signResponse(primitives, plain, to, keys.service, now + 1)
  const encoded = encodeResponse(message)
  const context = { response: message, request: to }
  return { message, ...signatureOf(message, context), encoded, padded: padMessage(encoded) }
}

function signatureOf(
  { fields }: { readonly fields: readonly Field[] },
  context: Parameters<typeof signatureBase>[1],
): { readonly base: string; readonly signature: Uint8Array } {
  const input = parseDictionary(findField(fields, 'signature-input') ?? '').get('sig') as InnerList
  const [, value = ''] = /^sig=:(.*):$/.exec(findField(fields, 'signature') ?? '') ?? []
  return { base: signatureBase(input, context), signature: decodeBase64(value) }
}

function accessToken(): string {
  const b64u = (value: unknown): string => encodeBase64Url(encodeUtf8(JSON.stringify(value)))
  const header = {
    alg: 'EdDSA',
    typ: 'at+jwt',
    kid: encodeBase64Url(primitives.sha256(encodeAscii(jwk(keys.token)))),
  }
  const claims = {
    iss: origin,
    aud: origin,
    sub: user,
    iat: now + 1,
    exp: now + 601,
    jti: encodeBase64Url(fixed('example: jti', 16)),
    client_id: appid,
    sid: encodeBase64Url(sessionId),
    cnf: { jkt: device.keyid },
  }
  const text = `${b64u(header)}.${b64u(claims)}`
  return `${text}.${encodeBase64Url(primitives.ed25519Sign(encodeAscii(text), keys.token.secretKey))}`
}

function jwk({ publicKey }: { readonly publicKey: Uint8Array }): string {
  return `{"crv":"Ed25519","kty":"OKP","x":"${encodeBase64Url(publicKey)}"}`
}

export const token = accessToken()

const login = request(
  '/sessions',
  {
    appid,
    code: '0a1B2c3D4e',
    handshake: encodeBase64Url(handshakeHash(primitives, keys.agreement.publicKey, keys.client.publicKey)),
    device: { kty: 'OKP', crv: 'Ed25519', x: encodeBase64Url(device.publicKey) },
    client: { platform: 'ios', sdk: '0.1.0', base: '3.7.0' },
  },
  [],
  'example: nonce of the login',
)

const loggedIn = response(
  201,
  {
    session: { id: encodeBase64Url(sessionId), expires_at: now + 7201 },
    user,
    device: { id: device.keyid, new: true },
    access_token: token,
    token_type: 'HTTPSig',
    expires_in: 600,
    time: now + 1,
  },
  [],
  login.message,
)

export const nonces = {
  login: fixed('example: frame nonce of the login', 24),
  loggedIn: fixed('example: frame nonce of the session', 24),
  transfer: fixed('example: frame nonce of the transfer', 24),
  done: fixed('example: frame nonce of the answer', 24),
}

export const handshake = handshakeSteps({
  agreement: keys.agreement,
  client: keys.client,
  service: keys.server,
  requestNonce: nonces.login,
  requestPlaintext: login.padded,
  responseNonce: nonces.loggedIn,
  responsePlaintext: loggedIn.padded,
})

const transfer = request(
  '/wallet/transfers',
  { payee: 'bob', amount: 1250, currency: 'CNY' },
  [
    ['authorization', `HTTPSig ${token}`],
    ['idempotency-key', '"5JmaaU4t4pfYb0bbsXCO8g"'],
  ],
  'example: nonce of the transfer',
)

const receipt = encodeBase64(fixed('example: hash of the leaf'))
const done = response(
  201,
  { id: '1', status: 'done' },
  [['miniseal-receipt', `:${receipt}:`]],
  transfer.message,
)

export const messages = { login, loggedIn, transfer, done }

/** The frames of the session, by section 4. */
const join = (...parts: readonly Uint8Array[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]))

export const responseKey = primitives.hkdf(handshake.s2c, nonces.transfer, encodeAscii('miniseal/1 response'))

export const frames = {
  transfer: join(
    Uint8Array.of(1, 3),
    sessionId,
    nonces.transfer,
    primitives.secretboxSeal(transfer.padded, nonces.transfer, handshake.c2s),
  ),
  done: join(
    Uint8Array.of(1, 4),
    nonces.transfer,
    nonces.done,
    primitives.secretboxSeal(done.padded, nonces.done, responseKey),
  ),
}
