/** Has a time-stamping authority stamp a checkpoint a day (RFC 3161): when the log was so, by the word of somebody else. */

import { encodeUtf8 } from 'miniseal-protocol/text'
import { parseNote } from 'miniseal-protocol/tlog/signed-note'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import type { Store } from '../store/store.ts'
import { startLoop } from './loop.ts'
import type { LogReader } from './reader.ts'
import { requestTimestamp } from './timestamps.ts'

/** Seconds from one token to the next. */
const stampPeriod = 86_400

/** How often it is looked at, in milliseconds: an authority that fails is asked again after that. */
const looking = { pause: 1_000, period: 300_000 }

export interface TimestampingOptions {
  readonly store: Store
  readonly reader: LogReader
  /** Of the authority; `undefined`: none is asked. */
  readonly timestampUrl: string | undefined
  /** UNIX seconds. */
  readonly now: () => number
  /** It is tried again. */
  readonly onFailure: (error: unknown) => void
}

export interface Timestamping {
  /** A checkpoint was signed. Never throws. */
  notify(): void
  stop(): Promise<void>
}

/** Starts asking: the authority for a token, of the newest checkpoint, whenever the last one is a day old. */
export function startTimestamping(options: TimestampingOptions): Timestamping {
  const { timestampUrl: url, now, onFailure } = options
  if (url === undefined) return { notify: () => {}, stop: async () => {} }
  let failedAt = Number.NEGATIVE_INFINITY
  const work = async (): Promise<void> => {
    // Checkpoints come each second; an authority that fails does not have to hear of all of them.
    if (performance.now() < failedAt + looking.period) return
    try {
      await stampWhenDue(options, url, now())
    } catch (error) {
      failedAt = performance.now()
      onFailure(error)
    }
  }
  return startLoop(work, looking)
}

/** Over the note's text, which is what the log signs. Of several processes the first one's token is kept. */
async function stampWhenDue({ store, reader }: TimestampingOptions, url: string, now: number): Promise<void> {
  const last = await store.findLastTimestamped()
  if (last !== undefined && last + stampPeriod > now) return
  const checkpoint = await reader.latestCheckpoint()
  if (checkpoint === undefined || checkpoint.timestampToken !== null) return
  const { log, size, note } = checkpoint
  const token = await requestTimestamp(url, sodiumPrimitives.sha256(encodeUtf8(parseNote(note).text)))
  await store.commit([{ kind: 'set-timestamp', log, size, token }])
}
