/** A store on its own database for each test of a suite, and assertions on its commits. */
import { afterEach, beforeEach, expect } from 'vitest'
import { openStore } from '../../../service/store/open-store.ts'
import type { Store, Write } from '../../../service/store/store.ts'
import type { TestDatabase } from './engines.ts'

export interface Opened {
  /** Of the running test. */
  readonly store: Store
  readonly database: TestDatabase
  expectCommitted(...writes: readonly Write[]): Promise<void>
  expectRefused(write: Write): Promise<void>
  /** Closes the store, and opens one on the same database. */
  openAgain(): Promise<void>
}

/** For the suites of `describeOnBothEngines`. */
export function openForEach(create: () => Promise<TestDatabase>): Opened {
  let open: { readonly store: Store; readonly database: TestDatabase } | undefined
  const now = () => {
    if (open === undefined) throw new Error('no test is running')
    return open
  }
  beforeEach(async () => {
    const database = await create()
    open = { database, store: await openStore(database.location) }
  })
  afterEach(async () => {
    const { store, database } = now()
    await store.close()
    await database.remove()
    open = undefined
  })
  return {
    get store() {
      return now().store
    },
    get database() {
      return now().database
    },
    async expectCommitted(...writes) {
      expect(await now().store.commit(writes)).toEqual({ kind: 'committed' })
    },
    async expectRefused(write) {
      expect(await now().store.commit([write])).toEqual({ kind: 'refused', write, index: 0 })
    },
    async openAgain() {
      const { store, database } = now()
      await store.close()
      open = { database, store: await openStore(database.location) }
    },
  }
}
