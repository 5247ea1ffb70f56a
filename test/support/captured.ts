/** Handmade requests as the gateway forwards them, and changes that a proxy may make. */
import { createHash } from 'node:crypto'
import type { Field, RequestMessage } from '../../crypto/frames/binary-http.ts'
import { signForBackend } from '../../crypto/http-signatures/gateway-signature.ts'
import type { MessageSigner } from '../../crypto/http-signatures/signed-request.ts'
import { signRequest } from '../../crypto/http-signatures/signed-request.ts'
import { keyThumbprint } from '../../crypto/primitives/thumbprint.ts'
import { encodeUtf8 } from '../../crypto/text.ts'
import type { ExplainOptions, KnownKey } from '../../packages/verify/explain/index.ts'
import { interactiveBudget, knownKey } from '../../packages/verify/explain/index.ts'
import { sodiumPrimitives as primitives } from '../../service/keys/sodium-primitives.ts'

/** UNIX seconds of all signatures. */
export const created = 1_764_000_000

export interface NamedKey {
  readonly signer: MessageSigner
  readonly publicKey: Uint8Array
  readonly known: KnownKey
}

/** @param seed a byte */
export function keyFrom(
  seed: number,
  source: KnownKey['source'] = 'option',
  use?: KnownKey['use'],
): NamedKey {
  const { publicKey, secretKey } = primitives.ed25519KeyPair(new Uint8Array(32).fill(seed))
  const signer = { keyid: keyThumbprint(primitives, publicKey), secretKey }
  return { signer, publicKey, known: knownKey(publicKey, undefined, source, use) }
}

export const device = keyFrom(1)
/** Signs for the gateway. */
export const service = keyFrom(2, 'jwks', 'message')
/** Signs tokens. */
export const tokens = keyFrom(3, 'jwks', 'token')

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** An access token for `device`. */
export const token = makeToken({})

export function makeToken(claims: Readonly<Record<string, unknown>>): string {
  const head = part({ alg: 'EdDSA', typ: 'at+jwt', kid: tokens.signer.keyid })
  const body = part({
    sub: 'u_somebody',
    client_id: 'wx1234',
    sid: 'c2Vzc2lvbi1vZi10aGlz',
    iss: 'https://pay.example.com',
    aud: 'https://pay.example.com',
    iat: created - 100,
    jti: 'one-of-many',
    exp: created + 500,
    cnf: { jkt: device.signer.keyid },
    ...claims,
  })
  const signature = primitives.ed25519Sign(encodeUtf8(`${head}.${body}`), tokens.signer.secretKey)
  return `${head}.${body}.${Buffer.from(signature).toString('base64url')}`
}

export interface RequestParts {
  readonly method?: string
  readonly path?: string
  readonly authority?: string
  readonly body?: string | Uint8Array
  readonly fields?: readonly Field[]
  readonly token?: string
  readonly created?: number
  readonly gatewayCreated?: number
  readonly device?: NamedKey
  /** Changes what the device signed. */
  readonly between?: (message: RequestMessage) => RequestMessage
}

/** As the gateway forwards it. */
export function forwardedRequest(parts: RequestParts = {}): RequestMessage {
  const body = parts.body ?? '{"payee":"bob","amount":"12.50"}'
  const content = typeof body === 'string' ? encodeUtf8(body) : body
  const from = parts.device ?? device
  const at = parts.created ?? created
  const plain: RequestMessage = {
    method: parts.method ?? 'POST',
    scheme: 'https',
    authority: parts.authority ?? 'pay.example.com',
    path: parts.path ?? '/wallet/transfers?b=2&a=1%20c',
    fields: [
      ...(content.length === 0 ? [] : [['content-type', 'application/json'] as const]),
      ['authorization', `HTTPSig ${parts.token ?? token}`],
      ['idempotency-key', '"made-by-hand"'],
      ...(parts.fields ?? []),
    ],
    content,
  }
  const signed = signRequest(primitives, plain, from.signer, at, new Uint8Array(16).fill(9))
  const caller = {
    user: 'u_somebody',
    device: from.signer.keyid,
    session: 'c2Vzc2lvbi1vZi10aGlz',
    app: 'wx1234',
    acr: 'session',
  }
  const changed = parts.between?.(signed) ?? signed
  return signForBackend(
    primitives,
    changed,
    caller,
    from.publicKey,
    service.signer,
    parts.gatewayCreated ?? at + 1,
    new Uint8Array(16).fill(8),
  )
}

/** HTTP/1.1, as bytes. */
export function httpText(message: RequestMessage): Uint8Array {
  const lines = [
    `${message.method} ${message.path} HTTP/1.1`,
    `Host: ${message.authority}`,
    ...message.fields.map(([name, value]) => `${name}: ${value}`),
    `Content-Length: ${message.content.length}`,
  ]
  return new Uint8Array(
    Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), message.content]),
  )
}

/** A message with one field changed. */
export function withField(
  message: RequestMessage,
  name: string,
  change: (value: string) => string,
): RequestMessage {
  return {
    ...message,
    fields: message.fields.map(([field, value]) => [field, field === name ? change(value) : value] as const),
  }
}

/** Another body with its digest. */
export function withDigest(message: RequestMessage, body: string): RequestMessage {
  const digest = createHash('sha256').update(body).digest('base64')
  return { ...withField(message, 'content-digest', () => `sha-256=:${digest}:`), content: encodeUtf8(body) }
}

/** With both keys, a minute later. */
export const known: ExplainOptions = {
  keys: [service.known, tokens.known],
  now: created + 60,
  budget: interactiveBudget,
}
