/** Receipts: an entry of the service's transparency log about one exchange, fetched and verified on the phone. */

import { equalBytes } from 'miniseal-protocol/bytes'
import { FormatError, LogError } from 'miniseal-protocol/errors'
import type { LogKeys } from 'miniseal-protocol/frames/channel-configuration'
import { decodeJsonObject, jsonObject, requiredNumber, requiredString } from 'miniseal-protocol/json'
import type { Primitives } from 'miniseal-protocol/primitives/primitives'
import { decodeBase64, decodeBase64Url, encodeBase64, encodeUtf8 } from 'miniseal-protocol/text'
import type { GroupLabel } from 'miniseal-protocol/tlog/audit-leaf'
import { commitment, groupLabels } from 'miniseal-protocol/tlog/audit-leaf'
import { verifyCheckpoint } from 'miniseal-protocol/tlog/checkpoint'
import { hashLeaf, verifyInclusion } from 'miniseal-protocol/tlog/merkle'
import type { VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { parseVerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { parsePolicy, verifyByPolicy } from 'miniseal-protocol/tlog/tlog-policy'
import type { Answer } from './answer.ts'
import { startDelay } from './clock.ts'
import type { Configurations } from './configurations.ts'
import type { Environment } from './environment.ts'
import { ChannelError, parseOrThrow } from './errors.ts'
import type { SendRequest } from './prepared-request.ts'

/** Polling of an entry that is not included in the log yet. */
const PENDING_MS = 1000
const MAX_WAITS = 5

/**
 * Fetches and verifies a receipt.
 *
 * @param id from {@link Answer.receipt}
 * @returns a receipt of any state, including `failed`
 * @throws ChannelError `not_found` for an unknown receipt, `request_invalid` for an invalid id
 */
export async function fetchReceipt(
  environment: Environment,
  configurations: Configurations,
  send: SendRequest,
  id: string,
): Promise<Receipt> {
  if (!/^[A-Za-z0-9_-]{43}$/.test(id)) throw new ChannelError('request_invalid', 'invalid receipt id')
  const answer = await requestReceipt(send, id)
  const primitives = await environment.loadPrimitives()
  const configuration = await configurations.current()
  const receipt = verifyReceipt(primitives, id, answer.bytes, configuration.log)
  if (receipt.state !== 'failed') return receipt
  // The log key may have changed, or a new log may have started, since the configuration was fetched.
  const newer = await configurations.newerThan(configuration)
  return verifyReceipt(primitives, id, answer.bytes, newer.log)
}

async function requestReceipt(send: SendRequest, id: string): Promise<Answer> {
  for (let waits = 0; ; waits++) {
    const answer = await send({ method: 'GET', path: `/receipts/${id}`, cache: 'none' })
    if (answer.status === 200 || (answer.status === 202 && waits >= MAX_WAITS)) return answer
    if (answer.status !== 202) {
      throw new ChannelError('unexpected_answer', 'unexpected status of a receipt', {
        status: answer.status,
      })
    }
    await startDelay(PENDING_MS).done
  }
}

/**
 * The verification steps, in this order:
 * - `leaf`: the entry's hash is the one that the service signed into its answer;
 * - `contents`: the disclosed contents match the commitments in the entry;
 * - `checkpoint`: the checkpoint is signed with the log's key;
 * - `inclusion`: the inclusion proof leads to the checkpoint;
 * - `witnesses`, only if the channel configuration has a policy: the required witnesses have cosigned the checkpoint.
 */
export interface ReceiptStep {
  readonly name: 'leaf' | 'contents' | 'checkpoint' | 'inclusion' | 'witnesses'
  /** `pending`: the entry is not included yet, or cosignatures are missing. */
  readonly state: 'ok' | 'failed' | 'pending'
}

/** The public part of a log entry. */
export interface ReceiptEntry {
  /** A UUID, for auditors. */
  readonly id: string
  /** The kind of entry, for example `request`. */
  readonly type: string
  /** `ok`, `refused`, `failed` or `unknown`. */
  readonly result: string
  /** UNIX milliseconds. */
  readonly at: number
}

export interface Receipt {
  /** The leaf hash, base64url. */
  readonly id: string
  /** `verified` only when every step is `ok`. */
  readonly state: 'verified' | 'failed' | 'pending'
  readonly steps: readonly ReceiptStep[]
  /** `undefined` when the entry is malformed or does not match the id. */
  readonly entry: ReceiptEntry | undefined
  /** The disclosed contents, by label. Authentic only when the step `contents` is `ok`. */
  readonly disclosures: Readonly<Partial<Record<GroupLabel, Readonly<Record<string, unknown>>>>>
  /** Leaf index, and tree size of the checkpoint; `undefined` while pending. */
  readonly index: number | undefined
  readonly size: number | undefined
  /** The witness policy (C2SP tlog-policy) of the channel configuration, if any. */
  readonly policy: string | undefined
  /** Names of the policy's witnesses that have cosigned. */
  readonly witnesses: readonly string[]
  /** The checkpoint as a signed note, for verification with other tools. */
  readonly checkpoint: string | undefined
}

interface Proof {
  readonly index: number
  readonly size: number
  readonly hashes: readonly Uint8Array[]
  readonly checkpoint: string
}

interface SaltedDisclosure {
  readonly label: GroupLabel
  readonly salt: Uint8Array
  readonly value: Uint8Array
}

interface ReceiptAnswer {
  readonly leafBytes: Uint8Array
  readonly disclosures: readonly SaltedDisclosure[]
  /** `undefined` while pending. */
  readonly proof: Proof | undefined
}

/**
 * Verifies a receipt.
 *
 * @param id the leaf hash from the verified answer
 * @param content the answer to `GET /receipts/{id}`, which is not trusted
 * @param log from the channel configuration: keys of the current log and of ended ones. A checkpoint needs a signature
 *   by a key of its own log.
 * @throws ChannelError `unexpected_answer` for malformed content. Wrong content fails a step instead.
 */
export function verifyReceipt(
  primitives: Primitives,
  id: string,
  content: Uint8Array,
  log: Pick<LogKeys, 'vkey' | 'ended' | 'policy'>,
): Receipt {
  const { leafBytes, disclosures, proof } = parseOrThrow(() => parseReceipt(content))
  const leafHash = hashLeaf(primitives, leafBytes)
  const isExpected = equalBytes(leafHash, decodeBase64Url(id))
  // Parsed leniently: the hash already pins these bytes.
  const leaf = isExpected ? resultOf(() => decodeJsonObject(leafBytes)) : undefined
  const logs = resultOf(() =>
    [log.vkey, ...(log.ended ?? [])].map((text) => parseVerifierKey(primitives, text)),
  )
  const checkpoint = proof && logs && resultOf(() => verifyCheckpoint(primitives, proof.checkpoint, logs))
  const cosigned =
    log.policy === undefined ? undefined : witnessStep(primitives, proof, logs ?? [], log.policy)
  const step = (name: ReceiptStep['name'], isOk: () => boolean): ReceiptStep => ({
    name,
    state: resultOf(isOk) === true ? 'ok' : 'failed',
  })
  const steps: readonly ReceiptStep[] = [
    step('leaf', () => leaf !== undefined),
    step('contents', () => leaf !== undefined && isCommitted(primitives, leaf, disclosures)),
    ...(proof === undefined
      ? [pending('checkpoint'), pending('inclusion')]
      : [
          step('checkpoint', () => checkpoint?.checkpoint.size === proof.size),
          step('inclusion', () => {
            if (checkpoint === undefined) return false
            verifyInclusion(primitives, leafHash, proof.index, checkpoint.checkpoint, proof.hashes)
            return true
          }),
        ]),
    ...(cosigned === undefined ? [] : [{ name: 'witnesses' as const, state: cosigned.state }]),
  ]
  return {
    id,
    state: overall(steps),
    steps,
    entry: leaf && resultOf(() => entryOf(leaf)),
    disclosures: parseOrThrow(() => valuesOf(disclosures)),
    index: proof?.index,
    size: proof?.size,
    policy: log.policy,
    witnesses: cosigned?.witnesses ?? [],
    checkpoint: proof?.checkpoint,
  }
}

/** Witnesses cosign a little later than the log signs, so missing cosignatures are pending, not failed. */
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
    const isPending = error instanceof LogError && error.reason === 'quorum_missing'
    return { ...none, state: isPending ? 'pending' : 'failed' }
  }
}

function overall(steps: readonly ReceiptStep[]): Receipt['state'] {
  if (steps.some(({ state }) => state === 'failed')) return 'failed'
  return steps.every(({ state }) => state === 'ok') ? 'verified' : 'pending'
}

function isCommitted(
  primitives: Primitives,
  leaf: Readonly<Record<string, unknown>>,
  disclosures: readonly SaltedDisclosure[],
): boolean {
  return disclosures.every(({ label, salt, value }) => {
    const committed = requiredString(jsonObject(leaf.c), label)
    return encodeBase64(commitment(primitives, label, salt, value)) === committed
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

function pending(name: ReceiptStep['name']): ReceiptStep {
  return { name, state: 'pending' }
}

/** `undefined` for every failed check. */
function resultOf<T>(check: () => T): T | undefined {
  try {
    return check()
  } catch (error) {
    if (error instanceof FormatError || error instanceof LogError) return undefined
    throw error
  }
}

function parseReceipt(content: Uint8Array): ReceiptAnswer {
  const body = decodeJsonObject(content)
  const disclosures = Object.entries(jsonObject(body.groups ?? {})).map(([name, value]) => {
    const label = groupLabels.find((known) => known === name)
    if (label === undefined) throw new FormatError('unknown disclosure label')
    const disclosure = jsonObject(value)
    const salt = decodeBase64(requiredString(disclosure, 'salt'))
    return { label, salt, value: encodeUtf8(requiredString(disclosure, 'value')) }
  })
  const leafBytes = decodeBase64(requiredString(body, 'leaf'))
  return { leafBytes, disclosures, proof: body.state === 'pending' ? undefined : parseProof(body) }
}

function parseProof(body: Record<string, unknown>): Proof {
  if (!Array.isArray(body.proof)) throw new FormatError('invalid proof')
  const hashes = body.proof.map((hash: unknown) => decodeBase64(requiredString({ hash }, 'hash')))
  return {
    index: requiredNumber(body, 'index'),
    size: requiredNumber(body, 'size'),
    hashes,
    checkpoint: requiredString(body, 'checkpoint'),
  }
}

function valuesOf(disclosures: readonly SaltedDisclosure[]): Receipt['disclosures'] {
  const values: Partial<Record<GroupLabel, Record<string, unknown>>> = {}
  for (const { label, value } of disclosures) values[label] = decodeJsonObject(value)
  return values
}
