/**
 * For a Node backend behind the gateway: who sent a request, proved by the device's signature, the access token and the
 * service's own signature (`docs/guides/integration.md`, "Verifying for yourself"). The package's `miniseal/verify`.
 *
 * It keeps no nonces: that a request comes once is the service's doing, as long as nobody else reaches the backend.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { ProtocolCode } from 'miniseal-protocol/errors'
import { ProtocolError, refuseFormat } from 'miniseal-protocol/errors'
import type { Field, RequestMessage } from 'miniseal-protocol/frames/binary-http'
import { findField } from 'miniseal-protocol/frames/binary-http'
import { authorityOf } from 'miniseal-protocol/frames/channel-configuration'
import type { CallerClaims, GatewaySignature } from 'miniseal-protocol/http-signatures/gateway-signature'
import { parseGatewaySignature } from 'miniseal-protocol/http-signatures/gateway-signature'
import { assertMethod, assertPath } from 'miniseal-protocol/http-signatures/message-rules'
import type { RequestSignature, SignatureWindow } from 'miniseal-protocol/http-signatures/signed-request'
import {
  assertContentDigest,
  assertInWindow,
  assertSignature,
  coveredWherePresent,
  parseRequestSignature,
} from 'miniseal-protocol/http-signatures/signed-request'
import { keyThumbprint } from 'miniseal-protocol/primitives/thumbprint'
import { explainForLog } from './explain/for-log.ts'
import type { Caller } from './gateway/backend.ts'
import type { KeySource, PublishedKeys } from './keys/published-keys.ts'
import { publishedKeys } from './keys/published-keys.ts'
import { sodiumPrimitives as primitives } from './keys/sodium-primitives.ts'
import type { TokenSubject } from './sessions/tokens.ts'
import { tokenOf, verifyPublishedToken } from './sessions/tokens.ts'

export { ProtocolError } from 'miniseal-protocol/errors'
export type { Caller, SignatureEvidence } from './gateway/backend.ts'
export type { JsonWebKeySet, KeySource } from './keys/published-keys.ts'

/** Node's `IncomingMessage`, as far as it is needed. */
export interface NodeRequest {
  readonly method?: string | undefined
  /** The request target as it arrived: path and query. */
  readonly url?: string | undefined
  readonly headers: IncomingHttpHeaders
  /** Names and values as they arrived: `headers` leaves out the second of some fields. */
  readonly rawHeaders?: readonly string[]
}

export interface VerifyOptions {
  /** `MINISEAL_ORIGIN` of the service. `Host` is not asked. */
  readonly origin: string
  /**
   * The token keys: a JWK Set or its address; by default `/.well-known/jwks.json` of the origin. What is fetched is kept,
   * also for later calls.
   */
  readonly jwks?: KeySource
  /** The message-signing keys, in the same way; by default `/.well-known/miniseal-keys.json` of the origin. */
  readonly messageKeys?: KeySource
  /** With a Node request: the bytes of its body as they arrived, none of them decoded. A Fetch request gives its own. */
  readonly body?: Uint8Array
  /** UNIX seconds; the system's clock by default. */
  readonly now?: () => number
  /**
   * Called before a refusal is thrown, with what `miniseal explain` says of the request: for the program's own log, not
   * for whoever sent it. It holds no token. The text is made at most once a second, since strangers can ask for it.
   */
  readonly onRefused?: (refusal: ExplainedRefusal) => void
}

/** A refusal in the words of the log. */
export interface ExplainedRefusal {
  readonly code: ProtocolCode
  /** Several lines. */
  readonly text: string
}

/** For the device's signature, in seconds: what the service accepts, and the time on the way. */
const deviceWindow: SignatureWindow = { past: 130, future: 20 }

/** For the service's signature, in seconds: it is made when the request is sent on. */
const gatewayWindow: SignatureWindow = { past: 60, future: 20 }

/** A token that was good at the gateway is good here, in seconds. */
const tokenTolerance = 20

/**
 * Verifies a request that came through the gateway. The body of a Fetch request can still be read afterwards.
 *
 * @param request attacker-controlled altogether
 * @returns who sent it
 * @throws ProtocolError with the code of the first check that fails; `unavailable` when the keys cannot be fetched.
 * @throws TypeError for a Node request without `body`: a mistake of the program's.
 */
export async function verifyMiniseal(
  request: Request | NodeRequest,
  options: VerifyOptions,
): Promise<Caller> {
  const now = options.now?.() ?? Math.floor(Date.now() / 1000)
  const keys = publishedKeys(
    options.jwks ?? new URL('/.well-known/jwks.json', options.origin),
    options.messageKeys ?? new URL('/.well-known/miniseal-keys.json', options.origin),
  )
  const message = await readMessage(request, options)
  try {
    return await verifyMessage(message, options, keys, now)
  } catch (error) {
    if (error instanceof ProtocolError) await reportRefusal(error, message, options, keys, now)
    throw error
  }
}

/** Every check in order. */
async function verifyMessage(
  message: RequestMessage,
  options: VerifyOptions,
  keys: PublishedKeys,
  now: number,
): Promise<Caller> {
  refuseFormat('payload_invalid', () => assertMethod(message.method))
  // Before anything is made of it: a path with two readings is none, whoever signed it.
  refuseFormat('payload_invalid', () => assertPath(message.path))
  const device = refuseFormat('signature_malformed', () => parseRequestSignature(message))
  const gateway = refuseFormat('signature_malformed', () => parseGatewaySignature(message))
  assertInWindow(device, now, deviceWindow)
  assertInWindow(gateway, now, gatewayWindow)
  assertContentDigest(primitives, message)
  assertDeviceKey(device, gateway)
  assertSignature(primitives, device, gateway.publicKey)
  const token = tokenOf(findField(message.fields, 'authorization'))
  const subject = await verifyPublishedToken(token, keys, {
    origin: options.origin,
    now,
    tolerance: tokenTolerance,
  })
  if (subject.device !== device.keyid)
    throw new ProtocolError('token_key_mismatch', 'the access token belongs to another key')
  assertSignature(primitives, gateway, await keys.findMessageKey(gateway.keyid))
  assertSameCaller(gateway.caller, subject)
  return callerOf(gateway, subject, device)
}

/** Milliseconds by `performance.now()`: before this, refusals are told in one line. */
let nextExplanation = 0

async function reportRefusal(
  { code, message: words }: ProtocolError,
  message: RequestMessage,
  { onRefused }: VerifyOptions,
  keys: PublishedKeys,
  now: number,
): Promise<void> {
  if (onRefused === undefined) return
  const isDue = performance.now() >= nextExplanation && code !== 'unavailable'
  if (isDue) nextExplanation = performance.now() + 1000
  onRefused({ code, text: isDue ? await explainForLog(message, keys, now) : words })
}

async function readMessage(
  request: Request | NodeRequest,
  { origin, body }: VerifyOptions,
): Promise<RequestMessage> {
  const target = { scheme: 'https', authority: authorityOf(origin) }
  if (request instanceof Request) {
    const { pathname, search } = new URL(request.url)
    const content = new Uint8Array(await request.clone().arrayBuffer())
    return {
      ...target,
      method: request.method,
      path: `${pathname}${search}`,
      fields: [...request.headers],
      content,
    }
  }
  if (body === undefined) throw new TypeError('a Node request needs its body, read by the program')
  assertOnce(request.rawHeaders ?? [])
  const fields = Object.entries(request.headers).flatMap(([name, value]): Field[] => {
    return value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]]
  })
  return { ...target, method: request.method ?? '', path: request.url ?? '', fields, content: body }
}

/** Fields that a verdict rests on; the gateway sends each of them once. */
const decisiveFields: ReadonlySet<string> = new Set([
  ...coveredWherePresent,
  ...['miniseal-caller', 'miniseal-device-key', 'signature-input', 'signature'],
])

/** @param rawHeaders names and values in turn */
function assertOnce(rawHeaders: readonly string[]): void {
  const names = rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase())
  const repeated = names.find((name, index) => decisiveFields.has(name) && names.indexOf(name) < index)
  if (repeated !== undefined) throw new ProtocolError('payload_invalid', `the field ${repeated} came twice`)
}

function assertDeviceKey(device: RequestSignature, { publicKey }: GatewaySignature): void {
  if (keyThumbprint(primitives, publicKey) !== device.keyid)
    throw new ProtocolError('key_unknown', 'the device key that came along is not the one that signed')
}

/** The service says the same twice; two stories are a fault somewhere, and nothing is believed. */
function assertSameCaller(caller: CallerClaims, { user, device, sid, appid }: TokenSubject): void {
  const isSame =
    caller.user === user && caller.device === device && caller.session === sid && caller.app === appid
  if (!isSame) throw new ProtocolError('token_invalid', 'the access token is not of the caller')
}

function callerOf(
  { caller, publicKey }: GatewaySignature,
  subject: TokenSubject,
  { keyid, base, signature, created }: RequestSignature,
): Caller {
  if (caller.acr !== 'session' && caller.acr !== 'soter')
    throw new ProtocolError('signature_malformed', 'miniseal-caller names an unknown confirmation')
  return {
    user: subject.user,
    device: subject.device,
    session: subject.sid,
    appid: subject.appid,
    acr: caller.acr,
    signature: { keyid, publicKey, base, signature, created },
  }
}
