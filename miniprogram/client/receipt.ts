/** Receipts: what the service's public log says about one exchange, proven here and not believed. */

import { equalBytes } from 'miniseal-protocol/bytes'
import { FormatError, LogError } from 'miniseal-protocol/errors'
import type { LogKeys } from 'miniseal-protocol/frames/channel-configuration'
import type { Primitives } from 'miniseal-protocol/primitives/primitives'
import { decodeBase64, decodeBase64Url, encodeBase64, encodeUtf8 } from 'miniseal-protocol/text'
import type { GroupLabel } from 'miniseal-protocol/tlog/audit-leaf'
import { commitment, groupLabels } from 'miniseal-protocol/tlog/audit-leaf'
import { verifyCheckpoint } from 'miniseal-protocol/tlog/checkpoint'
import { hashLeaf, verifyInclusion } from 'miniseal-protocol/tlog/merkle'
import type { VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { parseVerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { parsePolicy, verifyByPolicy } from 'miniseal-protocol/tlog/tlog-policy'
import { jsonObject, parseJsonObject, requiredNumber, requiredString } from './json.ts'
import { readable } from './session.ts'

/**
 * What is shown, in this order:
 * - `leaf`: the entry is the one whose hash the service signed into its answer;
 * - `contents`: what is told of the exchange is what the entry commits to;
 * - `checkpoint`: the log's key has signed the state of the log;
 * - `inclusion`: the entry is in the log of that state;
 * - `witnesses`, only where the service's configuration has a policy: those that it requires have cosigned that state.
 */
export interface ReceiptStep {
  readonly name: 'leaf' | 'contents' | 'checkpoint' | 'inclusion' | 'witnesses'
  /** `pending`: the entry is taken, and will be in the log in a moment; or not enough witnesses have cosigned yet. */
  readonly state: 'ok' | 'failed' | 'pending'
}

/** An entry of the log. */
export interface ReceiptEntry {
  /** A UUID: under it auditors find the entry. */
  readonly id: string
  /** What it tells of, for example `request`. */
  readonly type: string
  /** `ok`, `refused`, `failed` or `unknown`. */
  readonly result: string
  /** UNIX milliseconds. */
  readonly at: number
}

export interface Receipt {
  /** The leaf hash, base64url: the id by which it was asked for. */
  readonly id: string
  /** `verified` only when every step is. */
  readonly state: 'verified' | 'failed' | 'pending'
  readonly steps: readonly ReceiptStep[]
  /** What the entry says to everybody; `undefined` when it cannot be read, or is not the right one. */
  readonly entry: ReceiptEntry | undefined
  /** What the entry hides from everybody else; to be believed only when `contents` is ok. */
  readonly groups: Readonly<Partial<Record<GroupLabel, Readonly<Record<string, unknown>>>>>
  /** Place in the log, and its size then; `undefined` while it is pending. */
  readonly index: number | undefined
  readonly size: number | undefined
  /** What the service requires of witnesses (C2SP tlog-policy); `undefined` where it requires none. */
  readonly policy: string | undefined
  /** The witnesses of the policy that have cosigned, by their names there. */
  readonly witnesses: readonly string[]
  /** The signed note, for people who want to check it elsewhere. */
  readonly checkpoint: string | undefined
}

interface Proof {
  readonly index: number
  readonly size: number
  readonly hashes: readonly Uint8Array[]
  readonly checkpoint: string
}

interface SaltedGroup {
  readonly label: GroupLabel
  readonly salt: Uint8Array
  readonly value: Uint8Array
}

interface ReceiptAnswer {
  readonly leafBytes: Uint8Array
  readonly groups: readonly SaltedGroup[]
  /** `undefined` while it is pending. */
  readonly proof: Proof | undefined
}

/**
 * Checks a receipt.
 *
 * @param id the leaf hash from the verified answer to the exchange
 * @param content of the answer to `GET /receipts/{id}`: its claims are what is checked
 * @param log from the channel configuration: the log of now, and those that have ended. A checkpoint counts only with a key
 *   of its own log.
 * @throws ChannelError `unexpected_answer` for another form. Whatever is only wrong makes a step fail.
 */
export function verifyReceipt(
  primitives: Primitives,
  id: string,
  content: Uint8Array,
  log: Pick<LogKeys, 'vkey' | 'ended' | 'policy'>,
): Receipt {
  const { leafBytes, groups, proof } = readable(() => parseReceipt(content))
  const leafHash = hashLeaf(primitives, leafBytes)
  const isRight = equalBytes(leafHash, decodeBase64Url(id))
  // Not read as strictly as auditors read it: these are the bytes for which the service signed, whatever they hold.
  const leaf = isRight ? resultOf(() => parseJsonObject(leafBytes)) : undefined
  const logs = resultOf(() =>
    [log.vkey, ...(log.ended ?? [])].map((text) => parseVerifierKey(primitives, text)),
  )
  const checkpoint = proof && logs && resultOf(() => verifyCheckpoint(primitives, proof.checkpoint, logs))
  const cosigned =
    log.policy === undefined ? undefined : witnessStep(primitives, proof, logs ?? [], log.policy)
  const later = (isOk: () => boolean): ReceiptStep['state'] =>
    proof === undefined ? 'pending' : stateOf(isOk)
  const steps: readonly ReceiptStep[] = [
    { name: 'leaf', state: stateOf(() => leaf !== undefined) },
    { name: 'contents', state: stateOf(() => leaf !== undefined && isCommitted(primitives, leaf, groups)) },
    { name: 'checkpoint', state: later(() => checkpoint?.checkpoint.size === proof?.size) },
    {
      name: 'inclusion',
      state: later(() => {
        if (proof === undefined || checkpoint === undefined) return false
        verifyInclusion(primitives, leafHash, proof.index, checkpoint.checkpoint, proof.hashes)
        return true
      }),
    },
    ...(cosigned === undefined ? [] : [{ name: 'witnesses' as const, state: cosigned.state }]),
  ]
  return {
    id,
    state: overall(steps),
    steps,
    entry: leaf && resultOf(() => entryOf(leaf)),
    groups: readable(() => disclosuresOf(groups)),
    index: proof?.index,
    size: proof?.size,
    policy: log.policy,
    witnesses: cosigned?.witnesses ?? [],
    checkpoint: proof?.checkpoint,
  }
}

/** Witnesses come a little later than the log itself: too few of them is no failure, and never a success. */
function witnessStep(
  primitives: Primitives,
  proof: Proof | undefined,
  keys: readonly VerifierKey[],
  text: string,
): { readonly state: ReceiptStep['state']; readonly witnesses: readonly string[] } {
  const none = { witnesses: [] }
  if (proof === undefined) return { ...none, state: 'pending' }
  try {
    const policy = { ...parsePolicy(primitives, text), logs: keys.map((key) => ({ key })) }
    const { cosignatures } = verifyByPolicy(primitives, proof.checkpoint, policy)
    return { state: 'ok', witnesses: cosignatures.map(({ witness }) => witness) }
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof LogError)) throw error
    const isLate = error instanceof LogError && error.reason === 'quorum_missing'
    return { ...none, state: isLate ? 'pending' : 'failed' }
  }
}

function overall(steps: readonly ReceiptStep[]): Receipt['state'] {
  if (steps.some(({ state }) => state === 'failed')) return 'failed'
  return steps.every(({ state }) => state === 'ok') ? 'verified' : 'pending'
}

function isCommitted(
  primitives: Primitives,
  leaf: Readonly<Record<string, unknown>>,
  groups: readonly SaltedGroup[],
): boolean {
  return groups.every(({ label, salt, value }) => {
    const stated = requiredString(jsonObject(leaf.c), label)
    return encodeBase64(commitment(primitives, label, salt, value)) === stated
  })
}

function entryOf(leaf: Record<string, unknown>): ReceiptEntry {
  return {
    id: requiredString(leaf, 'id'),
    type: requiredString(leaf, 'k'),
    result: requiredString(leaf, 'r'),
    at: requiredNumber(leaf, 'ts'),
  }
}

function stateOf(isOk: () => boolean): 'ok' | 'failed' {
  return resultOf(isOk) === true ? 'ok' : 'failed'
}

/** `undefined` for every refusal: which one it was is for those who check it with better tools. */
function resultOf<T>(check: () => T): T | undefined {
  try {
    return check()
  } catch (error) {
    if (error instanceof FormatError || error instanceof LogError) return undefined
    throw error
  }
}

function parseReceipt(content: Uint8Array): ReceiptAnswer {
  const body = parseJsonObject(content)
  const groups = Object.entries(jsonObject(body.groups ?? {})).map(([name, value]) => {
    const label = groupLabels.find((known) => known === name)
    if (label === undefined) throw new FormatError('not the label of a group')
    const group = jsonObject(value)
    const salt = decodeBase64(requiredString(group, 'salt'))
    return { label, salt, value: encodeUtf8(requiredString(group, 'value')) }
  })
  const leafBytes = decodeBase64(requiredString(body, 'leaf'))
  return { leafBytes, groups, proof: body.state === 'pending' ? undefined : parseProof(body) }
}

function parseProof(body: Record<string, unknown>): Proof {
  if (!Array.isArray(body.proof)) throw new FormatError('not a proof')
  const hashes = body.proof.map((hash: unknown) => decodeBase64(requiredString({ hash }, 'hash')))
  return {
    index: requiredNumber(body, 'index'),
    size: requiredNumber(body, 'size'),
    hashes,
    checkpoint: requiredString(body, 'checkpoint'),
  }
}

function disclosuresOf(groups: readonly SaltedGroup[]): Receipt['groups'] {
  const read: Partial<Record<GroupLabel, Record<string, unknown>>> = {}
  for (const { label, value } of groups) read[label] = parseJsonObject(value)
  return read
}
