/**
 * What a leaf commits to, group by group (protocol, section 12). Each group is disclosed alone, and sealed until then.
 *
 * ```
 * core  duration_ms idempotency_key method path refusal replayed started_at status step
 * net   forwarded ip user_agent
 * pay   request_digest request_size response_digest response_size
 * sig   base created keyid public_key signature
 * sub   acr device session soter_counter user
 * ```
 *
 * Never a body, a code, a session key or an openid. The access token of a request is in its signature's base, because
 * the device has signed it: it is worth nothing without the device's key, and nothing at all after ten minutes.
 */

import type { RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { findField } from 'miniseal-protocol/frames/binary-http'
import { contentDigest } from 'miniseal-protocol/http-signatures/content-digest'
import { encodeBase64, encodeBase64Url } from 'miniseal-protocol/text'
import type { GroupLabel } from 'miniseal-protocol/tlog/audit-leaf'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import type { Sender } from '../limits/client-address.ts'

export type Disclosures = Readonly<Partial<Record<GroupLabel, FlatObject>>>

/** The device's signature over a request, as it was verified or refused. */
export interface LoggedSignature {
  readonly keyid: string
  /** 32 bytes; absent where no key was found to verify with. */
  readonly publicKey?: Uint8Array
  readonly base: string
  readonly signature: Uint8Array
  /** UNIX seconds. */
  readonly created: number
}

/** Whom a leaf is about, as far as it is proved. */
export interface LoggedSubject {
  readonly user?: string
  readonly device?: string
  /** b64u */
  readonly session?: string
  readonly acr?: string
  readonly soterCounter?: number
}

export interface LoggedRefusal {
  readonly code: string
  readonly step: string
}

/** An exchange, as far as it is known when its leaf is made. */
export interface LoggedExchange {
  readonly sender: Sender
  readonly durationMs?: number
  readonly request?: RequestMessage | undefined
  readonly signature?: LoggedSignature | undefined
  readonly subject?: LoggedSubject | undefined
  readonly status?: number | undefined
  readonly refusal?: LoggedRefusal | undefined
  readonly reply?: ResponseMessage | undefined
  /** The answer is the stored one of an earlier request with the same key. */
  readonly isReplayed?: boolean
  /** Its digest would tell a guesser the body: it is left out. */
  readonly isReplyGuessable?: boolean
}

/** Characters of a user agent: attacker-controlled, and bytes as characters (Latin-1). */
const maxUserAgentLength = 256
/** Characters of an Idempotency-Key, with its quotes. */
export const maxKeyLength = 300

/** The groups that there is anything for. */
export function disclosuresOf(exchange: LoggedExchange): Disclosures {
  const { signature, subject } = exchange
  const core = coreOf(exchange)
  return {
    ...(Object.keys(core).length === 0 ? {} : { core }),
    net: netOf(exchange.sender),
    ...(exchange.request === undefined ? {} : { pay: payOf(exchange, exchange.request) }),
    ...(signature === undefined ? {} : { sig: sigOf(signature) }),
    ...(subject === undefined || Object.keys(subject).length === 0 ? {} : { sub: subOf(subject) }),
  }
}

function coreOf({ request, status, refusal, durationMs, isReplayed }: LoggedExchange): FlatObject {
  return {
    ...(durationMs === undefined ? {} : { duration_ms: Math.max(0, Math.round(durationMs)) }),
    ...(request === undefined ? {} : askedOf(request)),
    ...(status === undefined ? {} : { status }),
    ...(refusal === undefined ? {} : { refusal: refusal.code, step: refusal.step }),
    ...(isReplayed === true ? { replayed: 'true' } : {}),
  }
}

function askedOf({ method, path, fields }: RequestMessage): FlatObject {
  const key = findField(fields, 'idempotency-key')
  return { method, path, ...(key === undefined ? {} : { idempotency_key: key.slice(0, maxKeyLength) }) }
}

/** @returns at least one member: that nothing is known is something, too */
function netOf({ ip, userAgent, isForwarded }: Sender): FlatObject {
  return {
    forwarded: isForwarded ? 'true' : 'false',
    ...(ip === undefined ? {} : { ip }),
    ...(userAgent === undefined ? {} : { user_agent: userAgent.slice(0, maxUserAgentLength) }),
  }
}

function payOf({ reply, isReplyGuessable }: LoggedExchange, request: RequestMessage): FlatObject {
  const requestDigest = findField(request.fields, 'content-digest')
  const hasReplyDigest = reply !== undefined && reply.content.length > 0 && isReplyGuessable !== true
  return {
    ...(requestDigest === undefined ? {} : { request_digest: requestDigest }),
    request_size: request.content.length,
    ...(hasReplyDigest ? { response_digest: contentDigest(sodiumPrimitives, reply.content) } : {}),
    ...(reply === undefined ? {} : { response_size: reply.content.length }),
  }
}

function sigOf({ keyid, publicKey, base, signature, created }: LoggedSignature): FlatObject {
  return {
    base,
    created,
    keyid,
    ...(publicKey === undefined ? {} : { public_key: encodeBase64Url(publicKey) }),
    signature: encodeBase64(signature),
  }
}

function subOf({ user, device, session, acr, soterCounter }: LoggedSubject): FlatObject {
  return {
    ...(acr === undefined ? {} : { acr }),
    ...(device === undefined ? {} : { device }),
    ...(session === undefined ? {} : { session }),
    ...(soterCounter === undefined ? {} : { soter_counter: soterCounter }),
    ...(user === undefined ? {} : { user }),
  }
}
