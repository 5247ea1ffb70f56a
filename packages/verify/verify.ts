/**
 * Verification of a forwarded request: device signature, access token, gateway signature
 * (`docs/guides/integration.md`, "Verifying for yourself").
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { ProtocolCode } from 'miniseal-protocol/errors'
import { ProtocolError, refuseFormat } from 'miniseal-protocol/errors'
import type { Field, RequestMessage } from 'miniseal-protocol/frames/binary-http'
import { findField } from 'miniseal-protocol/frames/binary-http'
import { authorityOf } from 'miniseal-protocol/frames/channel-configuration'
import type {
  Caller,
  CallerClaims,
  GatewaySignature,
} from 'miniseal-protocol/http-signatures/gateway-signature'
import { parseGatewaySignature } from 'miniseal-protocol/http-signatures/gateway-signature'
import { assertMethod, assertPath } from 'miniseal-protocol/http-signatures/message-rules'
import type { RequestSignature } from 'miniseal-protocol/http-signatures/signed-request'
import {
  assertContentDigest,
  assertInWindow,
  assertSignature,
  coveredWherePresent,
  parseRequestSignature,
} from 'miniseal-protocol/http-signatures/signed-request'
import { keyThumbprint } from 'miniseal-protocol/primitives/thumbprint'
import { explainRefusal } from './explain/refusal.ts'
import type { FindKey, KeySource } from './keys.ts'
import { createKeyFinder } from './keys.ts'
import { nodePrimitives } from './primitives.ts'
import type { TokenSubject } from './token.ts'
import { verifyToken } from './token.ts'
import { deviceWindow, gatewayWindow } from './windows.ts'

/** The members of Node's `IncomingMessage` that are verified. */
export interface NodeRequest {
  readonly method?: string | undefined
  /** Path and query as they arrived. */
  readonly url?: string | undefined
  readonly headers: IncomingHttpHeaders
  /** Names and values in turn. `headers` drops the repetition of some fields; this shows it. */
  readonly rawHeaders?: readonly string[]
}

export interface VerifierOptions {
  /** `MINISEAL_ORIGIN` of the service, for example `https://pay.example.com`. `Host` of the request is ignored. */
  readonly origin: string
  /** Token keys; by default fetched from `/.well-known/jwks.json` of the origin. */
  readonly jwks?: KeySource
  /** Message-signing keys; by default fetched from `/.well-known/miniseal-keys.json` of the origin. */
  readonly messageKeys?: KeySource
  /** UNIX seconds; by default the system clock. */
  readonly now?: () => number
  /**
   * Called before a refusal is thrown, for the program's own log; do not send the text to the client. It contains no
   * token. At most once a second it is the report of `miniseal explain`, which takes milliseconds that an attacker could
   * exhaust; otherwise it is the message of the error.
   */
  readonly onRefused?: (refusal: ExplainedRefusal) => void
}

export interface ExplainedRefusal {
  readonly code: ProtocolCode
  /** May have several lines. */
  readonly text: string
}

/**
 * Verifies one request. A Fetch request provides its own body and can still be read afterwards; a Node request needs
 * `body`, the bytes as they arrived, before any decoding.
 *
 * Nonces are not stored: the service refuses replays, provided that only the gateway reaches the backend.
 *
 * @param request attacker-controlled
 * @throws ProtocolError with the code of the first check that fails; `unavailable` when the keys cannot be fetched.
 * @throws TypeError for a Node request without `body`.
 */
export type Verifier = (request: Request | NodeRequest, body?: Uint8Array) => Promise<Caller>

/** Seconds: a token that was valid at the gateway is valid here. */
const tokenTolerance = 20

/** Creates a verifier. It caches the keys that it fetches: create one per process, not one per request. */
export function createVerifier(options: VerifierOptions): Verifier {
  const { origin, now = () => Math.floor(Date.now() / 1000) } = options
  const keys: ServiceKeys = {
    token: createKeyFinder('token', options.jwks ?? new URL('/.well-known/jwks.json', origin)),
    message: createKeyFinder(
      'message',
      options.messageKeys ?? new URL('/.well-known/miniseal-keys.json', origin),
    ),
  }
  const authority = authorityOf(origin)
  const report = createReporter(options.onRefused, keys.message)
  return async (request, body) => {
    const message = await readMessage(request, body, authority)
    const time = now()
    try {
      return await verifyMessage(message, origin, keys, time)
    } catch (error) {
      if (error instanceof ProtocolError) await report(error, message, time)
      throw error
    }
  }
}

/** Milliseconds between two explanations. */
const explanationPeriod = 1000

type Reporter = (error: ProtocolError, message: RequestMessage, now: number) => Promise<void>

function createReporter(onRefused: VerifierOptions['onRefused'], findMessageKey: FindKey): Reporter {
  let nextExplanation = 0
  return async (error, message, now) => {
    if (onRefused === undefined) return
    const { code } = error
    const isDue = performance.now() >= nextExplanation && code !== 'unavailable'
    if (isDue) nextExplanation = performance.now() + explanationPeriod
    onRefused({ code, text: isDue ? await explainRefusal(message, findMessageKey, now) : error.message })
  }
}

interface ServiceKeys {
  readonly token: FindKey
  readonly message: FindKey
}

/** The order of the checks determines the code of a request with several faults. */
async function verifyMessage(
  message: RequestMessage,
  origin: string,
  keys: ServiceKeys,
  now: number,
): Promise<Caller> {
  refuseFormat('payload_invalid', () => {
    assertMethod(message.method)
    // Reject ambiguous paths even when they are signed.
    assertPath(message.path)
  })
  const device = refuseFormat('signature_malformed', () => parseRequestSignature(message))
  const gateway = refuseFormat('signature_malformed', () => parseGatewaySignature(message))
  assertInWindow(device, now, deviceWindow)
  assertInWindow(gateway, now, gatewayWindow)
  assertContentDigest(nodePrimitives, message)
  if (keyThumbprint(nodePrimitives, gateway.publicKey) !== device.keyid)
    throw new ProtocolError('key_unknown', 'miniseal-device-key is not the key of the device signature')
  assertSignature(nodePrimitives, device, gateway.publicKey)
  const subject = await verifyToken(findField(message.fields, 'authorization'), keys.token, {
    origin,
    now,
    tolerance: tokenTolerance,
  })
  if (subject.device !== device.keyid)
    throw new ProtocolError('token_key_mismatch', 'the access token belongs to another key')
  const gatewayKey = await keys.message(gateway.keyid)
  if (gatewayKey === undefined)
    throw new ProtocolError('key_unknown', 'the gateway signature names an unknown key')
  assertSignature(nodePrimitives, gateway, gatewayKey)
  assertSameCaller(gateway.caller, subject)
  return callerOf(gateway, subject, device)
}

async function readMessage(
  request: Request | NodeRequest,
  body: Uint8Array | undefined,
  authority: string,
): Promise<RequestMessage> {
  const target = { scheme: 'https', authority }
  if (request instanceof Request) {
    const { pathname, search } = new URL(request.url)
    const content = body ?? new Uint8Array(await request.clone().arrayBuffer())
    return {
      ...target,
      method: request.method,
      path: `${pathname}${search}`,
      fields: [...request.headers],
      content,
    }
  }
  if (body === undefined) throw new TypeError('a Node request needs its raw body')
  assertNotRepeated(request.rawHeaders ?? [])
  const fields = Object.entries(request.headers).flatMap(([name, value]): Field[] => {
    return value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]]
  })
  return { ...target, method: request.method ?? '', path: request.url ?? '', fields, content: body }
}

/** The fields that the checks read. The gateway sends each one once. */
const verifiedFields: ReadonlySet<string> = new Set([
  ...coveredWherePresent,
  ...['miniseal-caller', 'miniseal-device-key', 'signature-input', 'signature'],
])

/** @param rawHeaders names and values in turn */
function assertNotRepeated(rawHeaders: readonly string[]): void {
  const seen = new Set<string>()
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase()
    if (!verifiedFields.has(name)) continue
    if (seen.has(name)) throw new ProtocolError('payload_invalid', `the field ${name} is repeated`)
    seen.add(name)
  }
}

/** The caller of the gateway signature must be the subject of the token. */
function assertSameCaller(caller: CallerClaims, subject: TokenSubject): void {
  const isSame =
    caller.user === subject.user &&
    caller.device === subject.device &&
    caller.session === subject.session &&
    caller.app === subject.appid
  if (!isSame) throw new ProtocolError('token_invalid', 'the access token belongs to another caller')
}

function callerOf(
  { caller: { acr }, publicKey }: GatewaySignature,
  subject: TokenSubject,
  { keyid, base, signature, created }: RequestSignature,
): Caller {
  if (acr !== 'session' && acr !== 'soter')
    throw new ProtocolError('signature_malformed', 'miniseal-caller has an unknown acr')
  return { ...subject, acr, signature: { keyid, publicKey, base, signature, created } }
}
