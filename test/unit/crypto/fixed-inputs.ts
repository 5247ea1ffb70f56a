/** Keys, nonces, times and messages that are the same in every run, for tests and for the test vectors. */
import type { Field, RequestMessage, ResponseMessage } from '../../../crypto/frames/binary-http.ts'
import type { AgreementKeyPair } from '../../../crypto/frames/handshake.ts'
import type { MessageSigner } from '../../../crypto/http-signatures/signed-request.ts'
import { signRequest } from '../../../crypto/http-signatures/signed-request.ts'
import { signResponse } from '../../../crypto/http-signatures/signed-response.ts'
import type { Ed25519KeyPair } from '../../../crypto/primitives/primitives.ts'
import { keyThumbprint } from '../../../crypto/primitives/thumbprint.ts'
import { encodeBase64, encodeBase64Url, encodeUtf8 } from '../../../crypto/text.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'

/** UNIX seconds: the time of every signature here. */
export const now = 1764000000
const authority = 'pay.example.com'
export const window = { past: 120, future: 10 }
export const maxFrame = 1048576

/** Bytes for a seed, a secret or a nonce: the first `length` of SHA-256 over "miniseal/1 test: " and the name. */
export function fixed(name: string, length = 32): Uint8Array {
  return primitives.sha256(encodeUtf8(`miniseal/1 test: ${name}`)).slice(0, length)
}

export interface FixedSigner extends Ed25519KeyPair, MessageSigner {
  readonly name: string
  readonly seed: Uint8Array
}

function signer(name: string): FixedSigner {
  const seed = fixed(name)
  const pair = primitives.ed25519KeyPair(seed)
  return { name, seed, ...pair, keyid: keyThumbprint(primitives, pair.publicKey) }
}

export const device: FixedSigner = signer('device key')
export const stranger: FixedSigner = signer('key of somebody else')
export const service: FixedSigner = signer('service signing key')
export const nextService: FixedSigner = signer('coming service signing key')
export const root: FixedSigner = signer('root key')
export const serviceKeys = [service, nextService].map(({ keyid, publicKey }) => ({ kid: keyid, publicKey }))

export function agreementPair(name: string): AgreementKeyPair {
  const secretKey = fixed(name)
  return { secretKey, publicKey: primitives.x25519PublicKey(secretKey) }
}

function request(method: string, path: string, fields: readonly Field[], content = ''): RequestMessage {
  return { method, scheme: 'https', authority, path, fields, content: encodeUtf8(content) }
}

const json: Field = ['content-type', 'application/json']
const token: Field = ['authorization', 'HTTPSig eyJ0eXAiOiJhdCtqd3QifQ.e30.AA']

/** A byte sequence as structured fields write it. */
const bytesItem = (bytes: Uint8Array): string => `:${encodeBase64(bytes)}:`

/** A well-formed field without a valid confirmation. */
const stepUp: Field = [
  'step-up',
  [
    `challenge="${encodeBase64Url(fixed('challenge'))}"`,
    `json=${bytesItem(encodeUtf8('{"raw": "a challenge","counter": 1}'))}`,
    `sig=${bytesItem(encodeUtf8('AA=='))}`,
  ].join(', '),
]

/** The field of an answer whose leaf has a made-up hash. */
export const receipt: Field = ['miniseal-receipt', bytesItem(fixed('leaf hash'))]

/** Requests before they are signed, by name. */
export const unsigned = {
  read: request('GET', '/wallet', [token]),
  search: request('GET', '/wallet/transfers?limit=20&after=%E5%8D%88', [
    token,
    ['if-none-match', '"a1"'],
    ['accept', 'application/json'],
  ]),
  transfer: request(
    'POST',
    '/wallet/transfers',
    [json, token, ['idempotency-key', '"order-1"']],
    '{"payee":"bob","amount":1250,"currency":"CNY","note":"午饭"}',
  ),
  everything: request(
    'PUT',
    '/orders/1?draft',
    [
      stepUp,
      ['if-none-match', '*'],
      ['idempotency-key', '"order-2"'],
      token,
      ['content-encoding', 'identity'],
      json,
    ],
    '{}',
  ),
} as const

/** The `name`d request with the device's signature of now. */
export function signed(name: keyof typeof unsigned, created = now): RequestMessage {
  return signRequest(primitives, unsigned[name], device, created, fixed(`${name} nonce`, 16))
}

/** Answers before they are signed, by name. */
export const answers = {
  created: {
    status: 201,
    fields: [json, receipt, ['location', '/wallet/transfers/1']],
    content: encodeUtf8('{"id":"1","status":"done"}'),
  },
  empty: { status: 204, fields: [], content: new Uint8Array(0) },
  problem: {
    status: 401,
    fields: [
      ['content-type', 'application/problem+json'],
      ['miniseal-problem', 'window_invalid'],
    ],
    content: encodeUtf8('{"code":"window_invalid","time":1764000000}'),
  },
} as const satisfies Readonly<Record<string, ResponseMessage>>

/** The `name`d answer to a request, signed by the service a second later. */
export function answered(name: keyof typeof answers, to: RequestMessage | undefined): ResponseMessage {
  return signResponse(primitives, answers[name], to, service, now + 1)
}

/** A copy with one bit flipped. */
export function flipped(bytes: Uint8Array, position: number, bit = 0): Uint8Array {
  const copy = bytes.slice()
  copy[position] = (copy[position] ?? 0) ^ (1 << bit)
  return copy
}
