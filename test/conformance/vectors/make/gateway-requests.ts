/** Requests as a gateway sends them to a backend: good ones, and ones that are wrong in one way each. */

import type { ProtocolCode } from '../../../../crypto/errors.ts'
import type { Field, RequestMessage } from '../../../../crypto/frames/binary-http.ts'
import { authorityOf } from '../../../../crypto/frames/channel-configuration.ts'
import { contentDigest } from '../../../../crypto/http-signatures/content-digest.ts'
import { componentItem, signatureBase } from '../../../../crypto/http-signatures/signature-base.ts'
import type { MessageSigner } from '../../../../crypto/http-signatures/signed-request.ts'
import { requiredComponents } from '../../../../crypto/http-signatures/signed-request.ts'
import type { BareItem, InnerList, Item } from '../../../../crypto/http-signatures/structured-fields.ts'
import {
  serializeBareItem,
  serializeInnerList,
} from '../../../../crypto/http-signatures/structured-fields.ts'
import type { Ed25519KeyPair } from '../../../../crypto/primitives/primitives.ts'
import { keyThumbprint } from '../../../../crypto/primitives/thumbprint.ts'
import { encodeAscii, encodeBase64Url, encodeUtf8 } from '../../../../crypto/text.ts'
import { sodiumPrimitives as primitives } from '../../../../service/keys/sodium-primitives.ts'

export type Signer = MessageSigner & Ed25519KeyPair

/** Where and when the requests are made. */
export interface GatewayWorld {
  /** `MINISEAL_ORIGIN`: issuer, audience and authority. */
  readonly origin: string
  /** UNIX seconds. */
  readonly now: number
  readonly keys: Readonly<Record<'device' | 'message' | 'token' | 'unmarked' | 'stranger', Signer>>
  /** Bytes for one nonce. */
  readonly nonce: (name: string) => Uint8Array
}

/** What a request is made of, where it is not as it should be. */
export interface GatewayParts {
  readonly method?: string
  /** Path and query. */
  readonly target?: string
  /** Of the signatures; `Host` is the same. */
  readonly authority?: string
  readonly content?: string
  /** Instead of `content-type`, `content-digest` and `idempotency-key`. */
  readonly fields?: readonly Field[]
  readonly claims?: Readonly<Record<string, unknown>>
  readonly header?: Readonly<Record<string, unknown>>
  readonly scheme?: string
  readonly hasToken?: boolean
  readonly tokenSigner?: Signer
  readonly caller?: Readonly<Record<string, string>>
  readonly device?: Signer
  readonly message?: Signer
  readonly editDevice?: (input: InnerList) => InnerList
  readonly editGateway?: (input: InnerList) => InnerList
  readonly deviceLabel?: string
  readonly gatewayLabel?: string
  readonly deviceAge?: number
  readonly gatewayAge?: number
  /** Changes what arrives, after everything is signed. */
  readonly after?: (request: RequestMessage) => RequestMessage
}

export interface GatewayCase {
  readonly title: string
  /** `undefined`: it must be accepted. */
  readonly code: ProtocolCode | undefined
  /** Its authority is what `Host` says. */
  readonly request: RequestMessage
}

export const user = 'u_alice'
export const session = 'c2Vzc2lvbi1vZi10aGlz'
export const app = 'wx0123456789abcdef'

const same = (input: InnerList): InnerList => input

/** The request that a gateway would send, but for what `parts` say. */
export function gatewayRequest(sandboxState: GatewayWorld, parts: GatewayParts = {}): RequestMessage {
  const { keys, now } = sandboxState
  const { device = keys.device, message = keys.message, deviceAge = 1, gatewayAge = 0 } = parts
  const {
    authority = authorityOf(sandboxState.origin),
    method = 'POST',
    target = '/orders/7?full=yes',
  } = parts
  const { deviceLabel = 'sig', gatewayLabel = 'gateway', editDevice = same, editGateway = same } = parts
  const content = encodeUtf8(parts.content ?? '{"n":1}')
  const {
    fields = [
      ['content-type', 'application/json'],
      ['content-digest', contentDigest(primitives, content)],
      ['idempotency-key', '"order-1"'],
    ] as const,
  } = parts
  const caller = { user, device: device.keyid, session, app, acr: 'session', ...parts.caller }
  const plain: RequestMessage = {
    method,
    scheme: 'https',
    authority,
    path: target,
    fields: [
      ...fields,
      ...(parts.hasToken === false
        ? []
        : [
            [
              'authorization',
              `${parts.scheme ?? 'HTTPSig'} ${tokenOf(sandboxState, device, parts)}`,
            ] as const,
          ]),
      [
        'miniseal-caller',
        Object.entries(caller)
          .map(([name, value]) => `${name}="${value}"`)
          .join(', '),
      ],
      ['miniseal-device-key', encodeBase64Url(device.publicKey)],
    ],
    content,
  }
  const sign = (
    names: readonly string[],
    signer: Signer,
    tag: string,
    age: number,
    edit: (input: InnerList) => InnerList,
  ): { input: string; signature: string } => {
    const input = edit({
      kind: 'inner-list',
      items: names.map((name) => componentItem(name)),
      params: new Map<string, BareItem>([
        ['created', { kind: 'integer', value: now - age }],
        ['nonce', { kind: 'string', value: encodeBase64Url(sandboxState.nonce(`${tag} nonce`)) }],
        ['keyid', { kind: 'string', value: signer.keyid }],
        ['tag', { kind: 'string', value: tag }],
      ]),
    })
    const base = encodeAscii(signatureBase(input, { request: plain }))
    const value = primitives.ed25519Sign(base, signer.secretKey)
    return { input: serializeInnerList(input), signature: serializeBareItem({ kind: 'bytes', value }) }
  }
  const names = requiredComponents(plain)
  const added = [...names, 'miniseal-caller', 'miniseal-device-key']
  const sig = sign(names, device, 'miniseal', deviceAge, editDevice)
  const gateway = sign(added, message, 'miniseal-gateway', gatewayAge, editGateway)
  const signed: RequestMessage = {
    ...plain,
    fields: [
      ...plain.fields,
      ['signature-input', `${deviceLabel}=${sig.input}, ${gatewayLabel}=${gateway.input}`],
      ['signature', `${deviceLabel}=${sig.signature}, ${gatewayLabel}=${gateway.signature}`],
    ],
  }
  return parts.after?.(signed) ?? signed
}

function tokenOf({ origin, now, keys }: GatewayWorld, device: Signer, parts: GatewayParts): string {
  const signer = parts.tokenSigner ?? keys.token
  const part = (value: unknown): string => encodeBase64Url(encodeUtf8(JSON.stringify(value)))
  const head = part({ alg: 'EdDSA', typ: 'at+jwt', kid: signer.keyid, ...parts.header })
  const claims = part({
    client_id: app,
    sid: session,
    cnf: { jkt: device.keyid },
    iss: origin,
    aud: origin,
    sub: user,
    iat: now - 100,
    exp: now + 500,
    jti: 'one-of-many',
    ...parts.claims,
  })
  const signature = primitives.ed25519Sign(encodeAscii(`${head}.${claims}`), signer.secretKey)
  return `${head}.${claims}.${encodeBase64Url(signature)}`
}

export function signerFrom(seed: Uint8Array): Signer {
  const pair = primitives.ed25519KeyPair(seed)
  return { ...pair, keyid: keyThumbprint(primitives, pair.publicKey) }
}

/** Edits of what a signature is over, and with which parameters. */
export const without = (name: string) => (input: InnerList) => ({
  ...input,
  items: input.items.filter(({ value }) => value.kind !== 'string' || value.value !== name),
})
export const plus = (item: Item) => (input: InnerList) => ({ ...input, items: [...input.items, item] })
export const reversed = (input: InnerList): InnerList => ({ ...input, items: [...input.items].reverse() })
export const parameter =
  (name: string, value: BareItem | undefined) =>
  (input: InnerList): InnerList => {
    const params = new Map(input.params)
    if (value === undefined) params.delete(name)
    else params.set(name, value)
    return { ...input, params }
  }

export const text = (value: string): BareItem => ({ kind: 'string', value })
export const seconds = (value: number): BareItem => ({ kind: 'integer', value })
