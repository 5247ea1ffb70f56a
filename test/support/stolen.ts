/** The keys of a service as an attacker holds them, and forgeries with them, for tests of their effects. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { emptyRoot } from '../../crypto/tlog/merkle.ts'
import { readOperatorPaths } from '../../service/config/environment.ts'
import { type Keyring, openKeyring, type ServiceKey } from '../../service/keys/keyring.ts'
import { sodiumPrimitives } from '../../service/keys/sodium-primitives.ts'
import { createSecretWrapper } from '../../service/keys/wrapping.ts'
import type { ServiceKeyKind } from '../../service/store/service-keys.ts'
import type { Store } from '../../service/store/store.ts'
import type { PendingEntry } from '../../service/store/tlog-entries.ts'
import type { LogState } from '../../service/store/tlog-tree.ts'
import { signCheckpoint } from '../../service/tlog/checkpoint.ts'
import { openCheckpointPin } from '../../service/tlog/checkpoint-pin.ts'
import { createRowMacs, growAuthenticated, type RowMacs } from '../../service/tlog/row-macs.ts'
import { disturb } from './both-databases.ts'
import { withStore } from './read-log.ts'
import type { TestService } from './service.ts'

/** Every key of a service, decrypted from its database with its master key. */
export async function stolenKeyring(service: TestService): Promise<Keyring> {
  const { masterKeys } = readOperatorPaths(service.environment)
  if (masterKeys === undefined) throw new Error('no master key')
  return await withStore(service.environment, (store) =>
    openKeyring(store, createSecretWrapper(masterKeys), service.now()),
  )
}

/** The current key of a kind. */
export async function stolenKey(service: TestService, kind: ServiceKeyKind): Promise<ServiceKey> {
  return (await stolenKeyring(service)).current(kind, service.now())
}

/** The key that authenticates leaves and trees before they are signed. */
export async function stolenMacs(service: TestService): Promise<RowMacs> {
  return createRowMacs((await stolenKey(service, 'lookup')).secretKey)
}

/**
 * Rewrites the log in the database of a stopped service without the leaves that `isKept` rejects. Tiles, roots and hashes
 * are recomputed, row MACs use the lookup key, and a new checkpoint is signed with the log key and pinned.
 *
 * @returns the signed checkpoint
 */
export async function rewriteLog(
  service: TestService,
  key: ServiceKey,
  isKept: (leaf: PendingEntry) => boolean,
): Promise<string> {
  return await withStore(service.environment, async (store) => {
    const old = await store.findLogState()
    if (old === undefined) throw new Error('no log')
    const entries = await store.listLogEntries(0, Number.MAX_SAFE_INTEGER, 100_000)
    const tables = [
      'tlog_entries',
      'tlog_tiles',
      'tlog_checkpoints',
      'tlog_hourly_counts',
      'tlog_pending',
      'tlog_states',
    ]
    await disturb(service, tables.map((table) => `delete from ${table}`).join(';'))
    const macs = await stolenMacs(service)
    const sealed = (state: LogState): LogState => ({ ...state, mac: macs.ofState(state) })
    await store.commit([
      { kind: 'insert-log-state', state: sealed({ ...old, size: 0, root: emptyRoot(sodiumPrimitives) }) },
    ])
    for (const { globalIndex: _, ...entry } of entries) {
      if (!isKept(entry)) continue
      await store.commit([
        { kind: 'insert-pending-entry', entry: { ...entry, mac: macs.ofEntry(entry.hash) } },
      ])
      await store.sequence(growAuthenticated(macs), 1)
    }
    return await sign(service, store, key)
  })
}

async function sign(service: TestService, store: Store, key: ServiceKey): Promise<string> {
  const state = await store.findLogState()
  if (state === undefined) throw new Error('no log')
  const note = signCheckpoint(state, [key])
  const { log, size } = state
  await store.commit([{ kind: 'insert-checkpoint', log, size, signedAt: service.now(), note }])
  const folder = service.environment.MINISEAL_DATA ?? ''
  rmSync(join(folder, 'pinned-checkpoints'), { recursive: true, force: true })
  await openCheckpointPin(folder).keep(note)
  return note
}
