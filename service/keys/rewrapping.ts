/** Rewraps every stored secret with the current master key, while services run on the same database. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Store } from '../store/store.ts'
import {
  type RowKey,
  type WrappedColumn,
  type WrappedValue,
  wrappedColumns,
} from '../store/wrapped-values.ts'
import { type SecretWrapper, secretContext } from './wrapping.ts'

/** Values that are rewrapped concurrently: a few milliseconds of the database. */
const batchSize = 100

/** Milliseconds between two batches, for requests. */
const pause = 5

/** Each pass rewraps what processes with an old configuration wrote during the previous one; they must be restarted. */
const maxPasses = 3

export interface RewrapResult {
  readonly rewrapped: number
  /** Values that are not wrapped with the current key afterwards. */
  readonly remaining: number
  /** Number of values that no configured key can unwrap. They are unchanged. */
  readonly unreadable: number
}

/** Counts the values that are not wrapped with the current master key, in all columns. */
export async function countOld(store: Store, wrapper: SecretWrapper): Promise<number> {
  let total = 0
  for (const column of wrappedColumns) total += await store.countWrapped(column, wrapper.prefix)
  return total
}

/**
 * Rewraps all values that are not wrapped with the current key. It may be interrupted and run again, because each value
 * identifies its key. A value that is replaced concurrently is not overwritten.
 *
 * @param onProgress called after each batch
 */
export async function rewrapAll(
  store: Store,
  wrapper: SecretWrapper,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<RewrapResult> {
  const total = await countOld(store, wrapper)
  let rewrapped = 0
  let unreadable = 0
  for (let pass = 0; pass < maxPasses; pass++) {
    unreadable = 0
    for (const column of wrappedColumns) {
      for await (const batch of oldValues(store, wrapper, column)) {
        const results = await Promise.all(batch.map((value) => rewrap(store, wrapper, column, value)))
        rewrapped += results.filter((result) => result === 'rewrapped').length
        unreadable += results.filter((result) => result === 'unreadable').length
        onProgress(Math.min(rewrapped, total), total)
        await sleep(pause)
      }
    }
    if ((await countOld(store, wrapper)) === unreadable) break
  }
  return { rewrapped, remaining: await countOld(store, wrapper), unreadable }
}

/** The values under old keys, in the order of the rows' keys, so that each unreadable value is visited once. */
async function* oldValues(
  store: Store,
  wrapper: SecretWrapper,
  column: WrappedColumn,
): AsyncGenerator<readonly WrappedValue[]> {
  let after: RowKey | undefined
  for (;;) {
    const batch = await store.listWrapped(column, wrapper.prefix, after, batchSize)
    if (batch.length > 0) yield batch
    if (batch.length < batchSize) return
    after = batch.at(-1)?.row
  }
}

/** One transaction per value, so that a concurrently replaced or deleted value does not undo the others. */
async function rewrap(
  store: Store,
  wrapper: SecretWrapper,
  column: WrappedColumn,
  { row, wrapped }: WrappedValue,
): Promise<'rewrapped' | 'replaced' | 'unreadable'> {
  const context = secretContext(column, row)
  let to: Uint8Array
  try {
    const secret = wrapper.unwrap(wrapped, context)
    to = wrapper.wrap(secret, context)
    secret.fill(0)
  } catch {
    return 'unreadable'
  }
  const result = await store.commit([{ kind: 'replace-wrapped', column, row, from: wrapped, to }])
  return result.kind === 'committed' ? 'rewrapped' : 'replaced'
}
