/** Wraps every stored secret anew under the current master key, while services run on the same database. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Store } from '../store/store.ts'
import type { RowKey, WrappedColumn, WrappedValue } from '../store/wrapped-values.ts'
import { secretContext, wrappedColumns } from './secret-places.ts'
import type { SecretWrapper } from './wrapping.ts'

/** Values that are in work at the same time: a few milliseconds of the database. */
const batchSize = 100

/** Between two batches, so that requests come to the database in between, in milliseconds. */
const pause = 5

/** A process that writes with an old key leaves something to do each time; then it is the one to be mended. */
const passes = 3

/** What a rewrapping has come to. */
export interface Rewrapping {
  /** Values that are wrapped with the current key now. */
  readonly done: number
  /** Values that are not, at the end. */
  readonly left: number
  /** Of these: values that do not open with any configured key. They were left as they are. */
  readonly closed: number
}

/** Values under another master key than the current one, in all columns. */
export async function countOld(store: Store, wrapper: SecretWrapper): Promise<number> {
  let total = 0
  for (const column of wrappedColumns) total += await store.countWrapped(column, wrapper.mark)
  return total
}

/**
 * Wraps what is left under old keys with the current one. It may be stopped at any moment and run again: what is done
 * is told by the value itself. A value that somebody else replaces meanwhile stays as they wrote it.
 *
 * @param onProgress hears how many values of how many are done, after each batch
 */
export async function rewrapAll(
  store: Store,
  wrapper: SecretWrapper,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<Rewrapping> {
  const total = await countOld(store, wrapper)
  let done = 0
  let closed = 0
  for (let pass = 0; pass < passes; pass++) {
    closed = 0
    for (const column of wrappedColumns) {
      for await (const batch of oldValues(store, wrapper, column)) {
        const results = await Promise.all(batch.map((value) => rewrap(store, wrapper, column, value)))
        done += results.filter((result) => result === 'done').length
        closed += results.filter((result) => result === 'closed').length
        onProgress(Math.min(done, total), total)
        await sleep(pause)
      }
    }
    if ((await countOld(store, wrapper)) === closed) break
  }
  return { done, left: await countOld(store, wrapper), closed }
}

/** Batch after batch in the order of the rows' keys, so that what cannot be wrapped anew is met once. */
async function* oldValues(
  store: Store,
  wrapper: SecretWrapper,
  column: WrappedColumn,
): AsyncGenerator<readonly WrappedValue[]> {
  let after: RowKey | undefined
  for (;;) {
    const batch = await store.listWrapped(column, wrapper.mark, after, batchSize)
    if (batch.length > 0) yield batch
    if (batch.length < batchSize) return
    after = batch.at(-1)?.row
  }
}

/** Each in a transaction of its own: a value that was replaced or deleted meanwhile does not hold up the others. */
async function rewrap(
  store: Store,
  wrapper: SecretWrapper,
  column: WrappedColumn,
  { row, wrapped }: WrappedValue,
): Promise<'done' | 'elsewhere' | 'closed'> {
  const context = secretContext(column, row)
  let to: Uint8Array
  try {
    const secret = wrapper.unwrap(wrapped, context)
    to = wrapper.wrap(secret, context)
    secret.fill(0)
  } catch {
    return 'closed'
  }
  const result = await store.commit([{ kind: 'replace-wrapped', column, row, from: wrapped, to }])
  return result.kind === 'committed' ? 'done' : 'elsewhere'
}
