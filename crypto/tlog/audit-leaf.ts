/**
 * The leaves of the audit log, and the groups of facts that they commit to (protocol, section 12).
 *
 * ```
 * {"app":…,"c":{"core":…,"net":…,"pay":…,"sig":…,"sub":…},"id":…,"k":…,"r":…,"rc":…,"ts":…,"v":1,"x":{…}}
 * commitment = H("miniseal-audit/1" ‖ 0x0a ‖ label ‖ 0x0a ‖ salt(32) ‖ group)
 * ```
 *
 * A leaf contains no personal data. Personal data is in the groups; a leaf has a salted commitment to each. Leaves are
 * encoded once: the stored bytes are the hashed bytes.
 */
import { concatBytes, equalBytes } from '../bytes.ts'
import { FormatError, LogError } from '../errors.ts'
import { jsonObject, parseJson, requiredString } from '../json.ts'
import type { Primitives } from '../primitives/primitives.ts'
import { decodeAscii, decodeBase64, decodeUtf8, encodeAscii, encodeBase64, encodeUtf8 } from '../text.ts'
import type { FlatObject } from './flat-json.ts'
import { encodeFlat, flatMembers } from './flat-json.ts'

/** Bytes of a leaf. */
export const maxLeafLength = 2048
/** Bytes of a group's value. */
export const maxGroupLength = 65536

const commitmentLabel = 'miniseal-audit/1'
const hashLength = 32
const maxFacts = 16

/** The kinds of leaves. */
export const leafKinds = [
  'request',
  'login',
  'refused',
  'refused-aggregate',
  'session-ended',
  'device-added',
  'key-rotated',
  'audit-read',
  'audit-exported',
  'erased',
  'gap',
  'outcome-unknown',
  'log-started',
] as const
export type LeafKind = (typeof leafKinds)[number]

/** The outcome: `refused` by the channel or by the backend. */
export const leafResults = ['ok', 'refused', 'failed', 'unknown'] as const
export type LeafResult = (typeof leafResults)[number]

/** The labels of groups, in order: request, network, payload, signature, subject. */
export const groupLabels = ['core', 'net', 'pay', 'sig', 'sub'] as const
export type GroupLabel = (typeof groupLabels)[number]

export interface AuditLeaf {
  /** `id`: a UUIDv7 in lower case. */
  readonly id: string
  /** `k` */
  readonly kind: LeafKind
  /** `r` */
  readonly result: LeafResult
  /** `rc`: retention of the groups in days or years: `190d`, `5y`. */
  readonly retention: string
  /** `ts`: milliseconds since 1970. */
  readonly at: number
  /** `app`: the mini program's appid; absent for entries of the service itself. */
  readonly app?: string
  /** `c`: 32 bytes for each group; absent without groups. */
  readonly commitments?: Readonly<Partial<Record<GroupLabel, Uint8Array>>>
  /** `x`: public facts about the system, never about a person; absent when empty. */
  readonly facts?: FlatObject
}

const patterns = {
  id: /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  retention: /^[1-9][0-9]{0,3}[dy]$/,
  app: /^[A-Za-z0-9_-]{2,64}$/,
  fact: /^[\x20-\x7e]{0,256}$/,
} as const

/** The bytes of a leaf: JSON in the encoding of RFC 8785, ASCII. @throws FormatError for an invalid leaf. */
export function encodeLeaf(leaf: AuditLeaf): Uint8Array {
  assertLeaf(leaf)
  const { app, commitments, facts } = leaf
  const members = [
    ...(app === undefined ? [] : [`"app":"${app}"`]),
    ...(commitments === undefined ? [] : [`"c":${encodeCommitments(commitments)}`]),
    `"id":"${leaf.id}","k":"${leaf.kind}","r":"${leaf.result}","rc":"${leaf.retention}","ts":${leaf.at},"v":1`,
    ...(facts === undefined ? [] : [`"x":${encodeFacts(facts)}`]),
  ]
  const bytes = encodeAscii(`{${members.join(',')}}`)
  if (bytes.length > maxLeafLength) throw new FormatError('the leaf is too long')
  return bytes
}

function assertLeaf({ id, kind, result, retention, at, app }: AuditLeaf): void {
  if (!patterns.id.test(id)) throw new FormatError('the id of a leaf must be a UUIDv7')
  if (!leafKinds.includes(kind)) throw new FormatError('unknown kind of leaf')
  if (!leafResults.includes(result)) throw new FormatError('unknown result of a leaf')
  if (!patterns.retention.test(retention)) throw new FormatError('the retention must be in days or years')
  if (!Number.isSafeInteger(at) || at < 0) throw new FormatError('the time of a leaf must be in milliseconds')
  if (app !== undefined && !patterns.app.test(app)) throw new FormatError('invalid appid')
}

function encodeCommitments(commitments: Readonly<Record<string, Uint8Array>>): string {
  const labels = Object.keys(commitments)
  if (labels.length === 0 || !labels.every(isLabel)) throw new FormatError('invalid commitments')
  const members = [...labels].sort().map((label) => {
    const bytes = commitments[label]
    if (bytes?.length !== hashLength) throw new FormatError('a commitment must have 32 bytes')
    return `"${label}":"${encodeBase64(bytes)}"`
  })
  return `{${members.join(',')}}`
}

function encodeFacts(facts: FlatObject): string {
  const values = Object.keys(facts).map((name) => facts[name])
  if (values.length === 0 || values.length > maxFacts) throw new FormatError('a leaf must have 1 to 16 facts')
  if (!values.every((value) => typeof value === 'number' || patterns.fact.test(`${value}`)))
    throw new FormatError('a fact must be short printable ASCII or a number')
  return encodeFlat(facts)
}

/** Parses the attacker-controlled bytes of a leaf. @throws FormatError unless {@link encodeLeaf} would write them. */
export function parseLeaf(bytes: Uint8Array): AuditLeaf {
  if (bytes.length > maxLeafLength) throw new FormatError('the leaf is too long')
  const members = jsonObject(parseJson(decodeAscii(bytes)))
  const leaf: AuditLeaf = {
    id: requiredString(members, 'id'),
    kind: requiredString(members, 'k') as LeafKind,
    result: requiredString(members, 'r') as LeafResult,
    retention: requiredString(members, 'rc'),
    at: members.ts as number,
    ...(members.app === undefined ? {} : { app: requiredString(members, 'app') }),
    ...(members.c === undefined ? {} : { commitments: parseCommitments(members.c) }),
    ...(members.x === undefined ? {} : { facts: flatMembers(members.x) }),
  }
  // Rejects invalid kinds, results and times, unknown and repeated members, another `v`, another order and white space.
  if (!equalBytes(encodeLeaf(leaf), bytes)) throw new FormatError('not the canonical encoding of a leaf')
  return leaf
}

function parseCommitments(value: unknown): Readonly<Partial<Record<GroupLabel, Uint8Array>>> {
  const members = jsonObject(value)
  const commitments: Partial<Record<GroupLabel, Uint8Array>> = {}
  for (const label of Object.keys(members)) {
    if (!isLabel(label)) throw new FormatError('unknown group label')
    commitments[label] = decodeBase64(requiredString(members, label))
  }
  return commitments
}

/** The value of a group: JSON in the encoding of RFC 8785, UTF-8. @throws FormatError for an invalid group. */
export function encodeGroup(group: FlatObject): Uint8Array {
  return encodeUtf8(groupText(group))
}

/** {@link encodeGroup} as text. @throws FormatError for an invalid group. */
export function groupText(group: FlatObject): string {
  const text = encodeFlat(group)
  // A UTF-16 unit takes at most three bytes.
  if (text.length * 3 > maxGroupLength && encodeUtf8(text).length > maxGroupLength)
    throw new FormatError('the group is too long')
  return text
}

/** Parses the attacker-controlled value of a group. @throws FormatError unless {@link encodeGroup} would write it. */
export function parseGroup(bytes: Uint8Array): FlatObject {
  if (bytes.length > maxGroupLength) throw new FormatError('the group is too long')
  const group = flatMembers(parseJson(decodeUtf8(bytes)))
  if (!equalBytes(encodeGroup(group), bytes)) throw new FormatError('not the canonical encoding of a group')
  return group
}

/**
 * The commitment to a group in a leaf.
 *
 * @param salt 32 random bytes, new for each group of each leaf
 * @param value the encoded group
 * @throws FormatError for a salt of another length
 */
export function commitment(
  primitives: Pick<Primitives, 'sha256'>,
  label: GroupLabel,
  salt: Uint8Array,
  value: Uint8Array,
): Uint8Array {
  if (salt.length !== hashLength) throw new FormatError('a salt must have 32 bytes')
  const prefix = encodeAscii(`${commitmentLabel}\n${label}\n`)
  return primitives.sha256(concatBytes(prefix, salt, value))
}

/**
 * Verifies that the leaf commits to this group. `salt` and `value` are attacker-controlled.
 *
 * @throws LogError `commitment_wrong`, also when the leaf has no such commitment.
 */
export function verifyCommitment(
  primitives: Pick<Primitives, 'sha256'>,
  leaf: AuditLeaf,
  label: GroupLabel,
  salt: Uint8Array,
  value: Uint8Array,
): void {
  const stated = leaf.commitments?.[label]
  if (stated === undefined || salt.length !== hashLength)
    throw new LogError('commitment_wrong', 'the leaf has no commitment with this label')
  if (!equalBytes(commitment(primitives, label, salt, value), stated))
    throw new LogError('commitment_wrong', 'the commitment is to another value')
}

function isLabel(label: string): label is GroupLabel {
  return groupLabels.some((known) => known === label)
}
