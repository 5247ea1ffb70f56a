/** Reads the log of a service from its database: rows, leaves, and disclosures opened with the master key. */

import type { AuditLeaf } from '../../crypto/tlog/audit-leaf.ts'
import { parseLeaf } from '../../crypto/tlog/audit-leaf.ts'
import { readOperatorPaths } from '../../service/config/environment.ts'
import { createSecretWrapper } from '../../service/keys/wrapping.ts'
import { openStore } from '../../service/store/open-store.ts'
import type { Store } from '../../service/store/store.ts'
import type { LogEntry, PendingEntry } from '../../service/store/tlog-entries.ts'
import { commitmentOf, openDetail } from '../../service/tlog/sealed-details.ts'
import { createSubjectKeyFinder } from '../../service/tlog/subject-keys.ts'

export interface ReadLeaf {
  readonly row: PendingEntry | LogEntry
  readonly leaf: AuditLeaf
  /** By label; empty without details, or when they cannot be decrypted. */
  readonly groups: Readonly<Record<string, Readonly<Record<string, string | number>>>>
  /** All stored data of it as text: columns, leaf, decrypted detail. */
  readonly text: string
}

/** Opens the database of a running service. */
export async function withStore<T>(
  environment: Readonly<Record<string, string>>,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const store = await openStore(readOperatorPaths(environment).database)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

/** Every leaf, pending ones last. Fails when an opened disclosure does not match its commitment. */
export async function readLog(environment: Readonly<Record<string, string>>): Promise<readonly ReadLeaf[]> {
  const { masterKeys } = readOperatorPaths(environment)
  if (masterKeys === undefined) throw new Error('no master key')
  return await withStore(environment, async (store) => {
    const find = createSubjectKeyFinder(store, createSecretWrapper(masterKeys))
    // Pending entries first: one that is sequenced meanwhile is read twice and kept once.
    const staged = await store.listPending(100_000)
    const entries = await store.listLogEntries(0, Number.MAX_SAFE_INTEGER, 100_000)
    const rows = new Map<string, PendingEntry | LogEntry>()
    for (const row of [...entries, ...staged]) {
      const name = Buffer.from(row.id).toString('hex')
      if (!rows.has(name)) rows.set(name, row)
    }
    return await Promise.all([...rows.values()].map((row) => readRow(row, find)))
  })
}

async function readRow(
  row: PendingEntry | LogEntry,
  find: ReturnType<typeof createSubjectKeyFinder>,
): Promise<ReadLeaf> {
  const leaf = parseLeaf(row.leaf)
  const key = await find(row.userBlindIndex)
  const opened = row.detail === null || key === undefined ? new Map() : openDetail(row.detail, row.id, key)
  for (const [label, group] of opened) {
    const committed = leaf.commitments?.[label as keyof typeof leaf.commitments]
    if (committed === undefined || !Buffer.from(committed).equals(commitmentOf(label, group)))
      throw new Error(`the group ${label} is not the one that the leaf commits to`)
  }
  const groups = Object.fromEntries([...opened].map(([label, { value }]) => [label, JSON.parse(value)]))
  const columns = Object.values(row).map((value) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : String(value),
  )
  return { row, leaf, groups, text: [...columns, JSON.stringify(groups)].join('\n') }
}

/** The leaves of one kind. */
export function ofKind(leaves: readonly ReadLeaf[], kind: AuditLeaf['kind']): readonly ReadLeaf[] {
  return leaves.filter(({ leaf }) => leaf.kind === kind)
}
