/**
 * Requests cosignatures from witnesses. They receive size, root and proof, but no entries.
 *
 * Each witness has its own loop: one request at a time, with back-off after failures. Entries and checkpoints do not wait
 * for witnesses.
 */
import { equalBytes } from 'miniseal-protocol/bytes'
import { FormatError, LogError } from 'miniseal-protocol/errors'
import { encodeBase64 } from 'miniseal-protocol/text'
import { parseDecimal } from 'miniseal-protocol/tlog/checkpoint'
import { cosignatureTime, noteVerifier } from 'miniseal-protocol/tlog/cosignature'
import {
  encodeSignatureLine,
  knownSignatures,
  parseNote,
  parseSignatureLines,
} from 'miniseal-protocol/tlog/signed-note'
import type { PolicyWitness } from 'miniseal-protocol/tlog/tlog-policy'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import type { Store } from '../store/store.ts'
import type { CheckpointRecord, WitnessRecord } from '../store/tlog-tree.ts'
import { boundedFetch } from './bounded-fetch.ts'
import { type Loop, startLoop } from './loop.ts'
import type { LogReader } from './reader.ts'

/** A witness with a URL. */
export type WitnessTarget = PolicyWitness & { readonly url: string }

/** Milliseconds between polls for checkpoints of other processes. */
const pollPeriod = 30_000
/** Milliseconds of the longest back-off. */
const maxBackoff = 300_000

/** Attempts to store a cosignature while other processes store theirs. */
const swapAttempts = 20

export interface Witnessing {
  /** A checkpoint was signed. Never throws. */
  notify(): void
  stop(): Promise<void>
}

export interface WitnessingOptions {
  readonly store: Store
  readonly reader: LogReader
  readonly witnesses: readonly WitnessTarget[]
  /** UNIX seconds. */
  readonly now: () => number
  /** Milliseconds between two requests to a witness, and of its first back-off, which doubles with each failure. */
  readonly period: number
  /** Called for failures that the witness did not cause. */
  readonly onFailure: (error: unknown) => void
}

/** Starts one loop for each witness. */
export function startWitnessing(options: WitnessingOptions): Witnessing {
  const loops = options.witnesses.map((witness) => loopFor(options, witness))
  return {
    notify: () => {
      for (const { notify } of loops) notify()
    },
    stop: async () => {
      await Promise.all(loops.map((loop) => loop.stop()))
    },
  }
}

function loopFor(options: WitnessingOptions, witness: WitnessTarget): Loop {
  let backoff = 0
  let notBefore = 0
  const work = async (): Promise<void> => {
    if (performance.now() < notBefore) return
    try {
      const isOk = await requestCosignature(options, witness)
      backoff = isOk ? 0 : Math.min(maxBackoff, Math.max(options.period, backoff * 2))
      notBefore = performance.now() + backoff
    } catch (error) {
      options.onFailure(error)
    }
  }
  return startLoop(work, { pause: options.period, period: pollPeriod })
}

/** @returns false if the witness failed */
async function requestCosignature(options: WitnessingOptions, witness: WitnessTarget): Promise<boolean> {
  const { store, reader, now } = options
  const checkpoint = await reader.latestCheckpoint()
  const known = (await store.listWitnesses()).find(({ name }) => name === witness.name)
  if (checkpoint === undefined || isUpToDate(known, checkpoint)) return true
  const before = known?.log === checkpoint.log ? known : undefined
  const record = { name: witness.name, log: checkpoint.log, triedAt: now() }
  try {
    const line = await cosignatureOf(reader, witness, checkpoint, before?.size ?? 0)
    await storeCosignature(store, checkpoint, line)
    const done = { ...record, size: checkpoint.size, cosignedAt: now(), failure: null }
    await store.commit([{ kind: 'upsert-witness', witness: done }])
    return true
  } catch (error) {
    if (!(error instanceof WitnessFailed)) throw error
    const state = { size: before?.size ?? 0, cosignedAt: before?.cosignedAt ?? null, failure: error.message }
    await store.commit([{ kind: 'upsert-witness', witness: { ...record, ...state } }])
    return false
  }
}

/** Whether it has cosigned this checkpoint since it was last signed. */
function isUpToDate(known: WitnessRecord | undefined, { log, size, signedAt }: CheckpointRecord): boolean {
  return known?.log === log && known.size === size && (known.cosignedAt ?? 0) >= signedAt
}

/** Retries once with the size that the witness reports. @throws WitnessFailed */
async function cosignatureOf(
  reader: LogReader,
  witness: WitnessTarget,
  { log, size, note }: CheckpointRecord,
  seen: number,
): Promise<string> {
  const send = async (old: number) =>
    await requestWitnessCosignature(witness.url, {
      old,
      proof: await reader.consistency(old, size, log),
      note,
    })
  let answer = await send(Math.min(seen, size))
  if (answer.kind === 'conflict') {
    if (answer.size > size)
      throw new WitnessFailed(`the witness has a larger checkpoint, of size ${answer.size}`)
    answer = await send(answer.size)
  }
  if (answer.kind === 'conflict') throw new WitnessFailed('the witness reported two different latest sizes')
  return verifiedLine(witness, note, answer.lines)
}

/** The witness's own valid signature line; other lines are dropped. */
function verifiedLine({ key }: WitnessTarget, note: string, lines: string): string {
  try {
    const signatures = parseSignatureLines(lines)
    const [own] = knownSignatures({ text: parseNote(note).text, signatures }, [
      noteVerifier(sodiumPrimitives, key),
    ])
    if (own === undefined) throw new WitnessFailed('the response has no cosignature of the witness key')
    cosignatureTime(own.signature)
    return encodeSignatureLine(own)
  } catch (error) {
    if (error instanceof FormatError || error instanceof LogError) {
      throw new WitnessFailed('the response has no valid cosignature')
    }
    throw error
  }
}

/** Replaces the witness's older line, by compare-and-swap. */
async function storeCosignature(store: Store, { log, size }: CheckpointRecord, line: string): Promise<void> {
  const [own] = parseSignatureLines(line)
  for (let attempt = 1; attempt <= swapAttempts; attempt++) {
    const from = (await store.findCheckpoint(log, size))?.cosignatures ?? ''
    const others = from === '' ? [] : parseSignatureLines(from)
    const kept = others.filter(({ name, keyId }) => name !== own?.name || !equalBytes(keyId, own.keyId))
    const to = [...kept.map(encodeSignatureLine), line].join('')
    if ((await store.commit([{ kind: 'replace-cosignatures', log, size, from, to }])).kind === 'committed')
      return
  }
}

// The client of `add-checkpoint` (C2SP tlog-witness).

/** A checkpoint, and the proof that it extends the latest one of the witness. */
interface WitnessRequest {
  /** The size of the witness's latest checkpoint; 0 if it has none of this log. */
  readonly old: number
  /** The consistency proof from `old` to the size of the checkpoint; at most 63 hashes. */
  readonly proof: readonly Uint8Array[]
  /** The signed note. */
  readonly note: string
}

type WitnessAnswer =
  /** Signature lines, not verified. */
  | { readonly kind: 'cosigned'; readonly lines: string }
  /** The size of the witness's latest checkpoint, which is not `old`. */
  | { readonly kind: 'conflict'; readonly size: number }

/** A witness failed; the message is short and safe to store. */
class WitnessFailed extends Error {
  override readonly name = 'WitnessFailed'
}

/** Milliseconds for the whole exchange. */
const deadline = 10_000
/** Bytes of a response; a few lines are expected. */
const maxLength = 65_536

/**
 * Sends the request. The response is attacker-controlled.
 *
 * @param url the witness's submission prefix
 * @throws WitnessFailed without a response that conforms to the protocol
 */
export async function requestWitnessCosignature(
  url: string,
  { old, proof, note }: WitnessRequest,
): Promise<WitnessAnswer> {
  const lines = [`old ${old}`, ...proof.map(encodeBase64), '', note]
  const { status, type, bytes } = await boundedFetch(
    `${url.replace(/\/+$/, '')}/add-checkpoint`,
    {
      method: 'POST',
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body: lines.join('\n'),
      deadline,
      maxLength,
    },
    (reason) => new WitnessFailed(reason),
  )
  const text = Buffer.from(bytes).toString('utf8')
  if (status === 200) return { kind: 'cosigned', lines: text }
  if (status !== 409 || type !== 'text/x.tlog.size') throw new WitnessFailed(`status ${status}`)
  try {
    return { kind: 'conflict', size: parseDecimal(text.replace(/\n$/, '')) }
  } catch {
    throw new WitnessFailed('status 409 without a size')
  }
}
