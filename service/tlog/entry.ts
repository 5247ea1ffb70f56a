/** Makes log entries: disclosures are salted, committed to and sealed; blind indexes are derived from them. */

import type { RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { findField } from 'miniseal-protocol/frames/binary-http'
import { contentDigest } from 'miniseal-protocol/http-signatures/content-digest'
import { decodeHex, encodeBase64, encodeBase64Url } from 'miniseal-protocol/text'
import type { LeafKind } from 'miniseal-protocol/tlog/audit-leaf'
import { encodeLeaf, type GroupLabel, groupText } from 'miniseal-protocol/tlog/audit-leaf'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import { randomBytes, sodiumPrimitives } from '../keys/sodium-primitives.ts'
import type { Sender } from '../limits/client-address.ts'
import type { LeafResult, PendingEntry } from '../store/tlog-entries.ts'
import { areaOf, type BlindIndexName, type BlindIndexOf, pathOf } from './blind-index.ts'
import { commitmentOf, type OpenedGroup, sealDetail } from './sealed-details.ts'
import type { Retention } from './settings.ts'
import { hashLeaf } from './tree.ts'

/** The content of one entry. */
export interface LogEntryInput {
  readonly kind: LeafKind
  readonly result: LeafResult
  /** Milliseconds since 1970. */
  readonly at: number
  readonly retention: Retention
  /** The problem code of a refusal. */
  readonly code?: string | undefined
  readonly app?: string | undefined
  readonly groups?: Disclosures
  /** Public: about the system, never about a person. */
  readonly facts?: FlatObject
}

/** Seals disclosures and derives blind indexes. */
export interface EntrySealing {
  /** The subject key, 32 bytes. */
  readonly key: Uint8Array
  readonly blindIndexOf: BlindIndexOf
}

const saltLength = 32

/**
 * Makes the pending entry with this id (16 bytes).
 *
 * @param sealing `undefined` after the user's key was shredded: the commitments are stored and can never be opened
 */
export function makeEntry(entryInput: LogEntryInput, id: Uint8Array, sealing?: EntrySealing): PendingEntry {
  const { kind, result, at, retention, app, facts, groups = {} } = entryInput
  const opened = saltedDisclosures(groups)
  const commitments = Object.fromEntries(
    [...opened].map(([label, group]) => [label, commitmentOf(label, group)]),
  )
  const leaf = encodeLeaf({
    id: leafIdText(id),
    kind,
    result,
    retention: retention.text,
    at,
    ...(app === undefined ? {} : { app }),
    ...(opened.size === 0 ? {} : { commitments }),
    ...(facts === undefined ? {} : { facts }),
  })
  return {
    id,
    hash: hashLeaf(leaf),
    leaf,
    at,
    kind,
    result,
    code: entryInput.code ?? null,
    app: app ?? null,
    ...blindIndexesOf(groups, sealing?.blindIndexOf),
    detail: sealing === undefined || opened.size === 0 ? null : sealDetail(opened, id, sealing.key),
    detailExpiresAt: Math.floor(at / 1000) + retention.seconds,
  }
}

function saltedDisclosures(groups: Disclosures): ReadonlyMap<GroupLabel, OpenedGroup> {
  const labels = Object.keys(groups) as GroupLabel[]
  return new Map(
    labels.flatMap((label): [GroupLabel, OpenedGroup][] => {
      const group = groups[label]
      if (group === undefined) return []
      return [[label, { salt: randomBytes(saltLength), value: groupText(group) }]]
    }),
  )
}

/** Blind indexes are derived from the disclosed values alone. */
function blindIndexesOf({ core, net, sub }: Disclosures, blindIndexOf: BlindIndexOf | undefined) {
  const index = (name: BlindIndexName, value: string | number | undefined): Uint8Array | null =>
    blindIndexOf !== undefined && typeof value === 'string' ? blindIndexOf(name, value) : null
  const path = typeof core?.path === 'string' ? core.path : undefined
  return {
    userBlindIndex: index('user', sub?.user),
    deviceBlindIndex: index('device', sub?.device),
    ipBlindIndex: index('ip', net?.ip),
    pathBlindIndex: index('path', path && pathOf(path)),
    areaBlindIndex: index('area', path && areaOf(path)),
  }
}

// Disclosures: groups of members, each with its own commitment, so that each can be disclosed alone (protocol, section 12).
//
//   core  duration_ms idempotency_key method path refusal replayed started_at status step
//   net   forwarded ip user_agent
//   pay   request_digest request_size response_digest response_size
//   sig   base created keyid public_key signature
//   sub   acr device session soter_counter user
//
// Bodies, codes, session keys and openids are never logged. The signature base contains the access token, which is useless
// without the device key and expires after ten minutes.

export type Disclosures = Readonly<Partial<Record<GroupLabel, FlatObject>>>

/** The device's signature over a request, verified or refused. */
export interface LoggedSignature {
  readonly keyid: string
  /** 32 bytes; absent if no key was found. */
  readonly publicKey?: Uint8Array
  readonly base: string
  readonly signature: Uint8Array
  /** UNIX seconds. */
  readonly created: number
}

/** The authenticated subject of an entry, as far as established. */
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

/** An exchange, as far as known when its entry is made. */
export interface LoggedExchange {
  readonly sender: Sender
  readonly durationMs?: number
  readonly request?: RequestMessage | undefined
  readonly signature?: LoggedSignature | undefined
  readonly subject?: LoggedSubject | undefined
  readonly status?: number | undefined
  readonly refusal?: LoggedRefusal | undefined
  readonly reply?: ResponseMessage | undefined
  /** A stored response was replayed (Idempotency-Key). */
  readonly isReplayed?: boolean
  /** The body has few possible values, so that its digest would reveal it: the digest is omitted. */
  readonly isReplyGuessable?: boolean
}

/** Characters of a user agent: attacker-controlled, and bytes as characters (Latin-1). */
const maxUserAgentLength = 256
/** Characters of an Idempotency-Key, with its quotes. */
export const maxKeyLength = 300

/** The non-empty groups of an exchange. */
export function disclosuresOf(exchange: LoggedExchange): Disclosures {
  const { request, signature, subject = {} } = exchange
  const [core, sub] = [coreOf(exchange), subOf(subject)]
  return {
    ...(Object.keys(core).length === 0 ? {} : { core }),
    net: netOf(exchange.sender),
    ...(request === undefined ? {} : { pay: payOf(exchange, request) }),
    ...(signature === undefined ? {} : { sig: sigOf(signature) }),
    ...(Object.keys(sub).length === 0 ? {} : { sub }),
  }
}

/** The members that have a value. */
export function definedMembers(members: Readonly<Record<string, string | number | undefined>>): FlatObject {
  return Object.fromEntries(
    Object.entries(members).filter((member): member is [string, string | number] => member[1] !== undefined),
  )
}

function coreOf({ request, status, refusal, durationMs, isReplayed }: LoggedExchange): FlatObject {
  const key = request === undefined ? undefined : findField(request.fields, 'idempotency-key')
  return definedMembers({
    duration_ms: durationMs === undefined ? undefined : Math.max(0, Math.round(durationMs)),
    method: request?.method,
    path: request?.path,
    idempotency_key: key?.slice(0, maxKeyLength),
    status,
    refusal: refusal?.code,
    step: refusal?.step,
    replayed: isReplayed === true ? 'true' : undefined,
  })
}

function netOf({ ip, userAgent, isForwarded }: Sender): FlatObject {
  const user_agent = userAgent?.slice(0, maxUserAgentLength)
  return definedMembers({ forwarded: isForwarded ? 'true' : 'false', ip, user_agent })
}

function payOf({ reply, isReplyGuessable }: LoggedExchange, request: RequestMessage): FlatObject {
  const hasReplyDigest = reply !== undefined && reply.content.length > 0 && isReplyGuessable !== true
  return definedMembers({
    request_digest: findField(request.fields, 'content-digest'),
    request_size: request.content.length,
    response_digest: hasReplyDigest ? contentDigest(sodiumPrimitives, reply.content) : undefined,
    response_size: reply?.content.length,
  })
}

function sigOf({ keyid, publicKey, base, signature, created }: LoggedSignature): FlatObject {
  return definedMembers({
    base,
    created,
    keyid,
    public_key: publicKey && encodeBase64Url(publicKey),
    signature: encodeBase64(signature),
  })
}

function subOf({ user, device, session, acr, soterCounter }: LoggedSubject): FlatObject {
  return definedMembers({ acr, device, session, soter_counter: soterCounter, user })
}

// Entry ids are UUIDv7 (RFC 9562, section 5.7): they sort roughly by time.

/** 16 bytes. @param milliseconds since 1970 */
export function newLeafId(milliseconds: number): Uint8Array {
  const id = randomBytes(16)
  const view = new DataView(id.buffer)
  view.setUint16(0, Math.floor(milliseconds / 2 ** 32))
  view.setUint32(2, milliseconds % 2 ** 32)
  view.setUint8(6, (view.getUint8(6) & 0x0f) | 0x70)
  view.setUint8(8, (view.getUint8(8) & 0x3f) | 0x80)
  return id
}

/** Lower case, with hyphens. */
export function leafIdText(id: Uint8Array): string {
  const hex = Buffer.from(id).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** Parses an attacker-controlled id. @returns `undefined` unless it is a UUID in lower case with hyphens */
export function parseLeafId(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)) return undefined
  return decodeHex(text.replaceAll('-', ''))
}
