/** A service whose log grows as if another process wrote to it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { openStore } from '../../service/store/open-store.ts'
import type { Store } from '../../service/store/store.ts'
import { growAuthenticated, type RowMacs } from '../../service/tlog/row-macs.ts'
import { newAuditor } from './audit-traffic.ts'
import { appendPendingAs, pendingEntry } from './log-records.ts'
import { freshSeed } from './opened-log.ts'
import { startTestService, type TestService } from './service.ts'
import { stolenMacs } from './stolen.ts'

export interface GrownLog {
  readonly service: TestService
  readonly store: Store
  /** Of an auditor who may read entries. */
  readonly token: string
  /** `log` of `/readyz`. */
  health(): Promise<Record<string, unknown>>
  verifierKey(): Promise<string>
  /** Adds entries until the log has at least this size, and waits until all are signed. @returns its size */
  growTo(wanted: number): Promise<number>
  /** Adds one entry, which no checkpoint has yet. */
  growUnsigned(): Promise<void>
  close(): Promise<void>
}

export async function startGrownLog(): Promise<GrownLog> {
  const service = await startTestService()
  const path = (service.environment.MINISEAL_DATABASE ?? '').slice('sqlite:'.length)
  const store = await openStore({ kind: 'sqlite', path })
  const macs: RowMacs = await stolenMacs(service)
  const health = async (): Promise<Record<string, unknown>> => {
    const answer = await fetch(`${service.url}/readyz`)
    return ((await answer.json()) as { log: Record<string, unknown> }).log
  }
  return {
    service,
    store,
    token: await newAuditor(service, 'ann', 'reader'),
    health,
    async verifierKey() {
      const jws = await (await fetch(`${service.url}/.well-known/miniseal`)).text()
      return JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString()).log.vkey
    },
    async growTo(wanted) {
      let { size: from } = (await store.findLogState()) ?? { size: 0 }
      for (; from < wanted; from += 1_000) {
        const seeds = Array.from({ length: Math.min(1_000, wanted - from) }, (_, i) => from + i)
        const entries = seeds.map((seed) => pendingEntry(seed))
        await appendPendingAs(macs, store, entries)
      }
      for (const end = Date.now() + 60_000; Date.now() < end; await sleep(100)) {
        // Each entry that an auditor read has added an entry, and may do so for a moment.
        const { size: signed = 0 } = (await store.findLatestCheckpoint(0)) ?? {}
        const { size: tree, pending } = await health()
        if (signed >= wanted && tree === signed && pending === 0) return signed
      }
      throw new Error(`no checkpoint of ${wanted}`)
    },
    async growUnsigned() {
      await appendPendingAs(macs, store, [pendingEntry(freshSeed())])
      await store.sequence(growAuthenticated(macs), 256)
    },
    async close() {
      await store.close()
      await service.close()
    },
  }
}
