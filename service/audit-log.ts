/** Assembles the log of a service from its configuration. */
import type { Logger } from 'pino'
import { accountKeyOf } from './admin/api/accounts.ts'
import type { AuditDependencies } from './admin/api/context.ts'
import { cookieKeyOf } from './admin/api/session.ts'
import type { ExchangeContext } from './channel/context.ts'
import { maxWorkDuration } from './channel/idempotency.ts'
import type { Config } from './config/config.ts'
import type { Keyring } from './keys/keyring.ts'
import { logTlog } from './observability/logger.ts'
import { fanOut, type Metrics } from './observability/metrics.ts'
import { isInMemory } from './store/open-store.ts'
import type { Store } from './store/store.ts'
import { createAppender } from './tlog/appender.ts'
import { cacheBlindIndex, createBlindIndex } from './tlog/blind-index.ts'
import { openCheckpointPin, openMemoryCheckpointPin } from './tlog/checkpoint-pin.ts'
import { findLastCheckTime } from './tlog/fsck/claims.ts'
import type { LogDependencies } from './tlog/log-health.ts'
import { openLog, type RunningLog } from './tlog/open-log.ts'
import { defaultOrigin } from './tlog/origin.ts'
import { createReceipts } from './tlog/receipts.ts'
import { createRowMacs } from './tlog/row-macs.ts'
import { createSubjectKeys } from './tlog/subject-keys.ts'

/**
 * The log's store, keys and pinned checkpoint.
 *
 * @param authority host and port of the public origin: the name of a log that is started now
 * @param now UNIX seconds
 */
export function logDependenciesOf(
  { database, dataFolder, log }: Config,
  parts: { readonly store: Store; readonly keyring: Keyring },
  authority: string,
  now: number,
): LogDependencies {
  // An in-memory database ends with the process, and so does its pinned checkpoint.
  return {
    ...parts,
    macs: createRowMacs(parts.keyring.current('lookup', now).secretKey),
    checkpointPin: isInMemory(database) ? openMemoryCheckpointPin() : openCheckpointPin(dataFolder),
    origin: log.origin ?? defaultOrigin(authority, now),
    isOriginGiven: log.origin !== undefined,
  }
}

/** The log of a service: the appender for the channel and the dependencies of the auditors' API. */
export interface Records extends Pick<ExchangeContext, 'appender' | 'receipts'> {
  readonly reading: Pick<
    AuditDependencies,
    'blindIndexOf' | 'findKey' | 'witnesses' | 'cookieKey' | 'accountKey' | 'lastCheck'
  >
}

/**
 * Opens the appender and the receipts of a service. Intents abandoned by a previous process are logged.
 *
 * @throws StoreUnavailable
 */
export async function openRecords(
  { log: { retention, witnesses }, dataFolder }: Config,
  { store, keyring, wrapper, now }: Pick<ExchangeContext, 'store' | 'keyring' | 'wrapper' | 'now'>,
  { gate, reader }: RunningLog,
): Promise<Records> {
  const lookupKey = keyring.current('lookup', now()).secretKey
  const blindIndexOf = cacheBlindIndex(createBlindIndex(lookupKey))
  const keys = createSubjectKeys(store, wrapper, now)
  const appender = createAppender({
    store,
    keys,
    blindIndexOf,
    macs: createRowMacs(lookupKey),
    retention,
    now,
    notify: gate.notify,
  })
  await appender.logAbandonedIntents(now() - maxWorkDuration)
  return {
    appender,
    receipts: createReceipts({ store, reader, keys, blindIndexOf }),
    reading: {
      blindIndexOf,
      witnesses,
      findKey: async (userBlindIndex) => (await keys.find(userBlindIndex))?.key,
      cookieKey: cookieKeyOf(lookupKey),
      accountKey: accountKeyOf(lookupKey),
      lastCheck: () => findLastCheckTime(dataFolder, wrapper),
    },
  }
}

/** Opens the log of a running service, with its log lines and metrics. */
export async function openServiceLog(
  config: Config,
  {
    period,
    ...parts
  }: { readonly store: Store; readonly keyring: Keyring; readonly period: number | undefined },
  authority: string,
  now: () => number,
  { log, metrics }: { readonly log: Logger; readonly metrics: Metrics },
): Promise<RunningLog> {
  const opened: RunningLog = await openLog({
    ...config.log,
    ...logDependenciesOf(config, parts, authority, now()),
    now,
    period,
    record: fanOut(
      logTlog(log),
      metrics.watchTlog(async () => {
        const status = await opened.status()
        // A healthy log on a full disk accepts no entries.
        const isWritable = await parts.store.assertWritable().then(
          () => true,
          () => false,
        )
        return { ...status, takesEntries: isWritable }
      }),
    ),
  })
  return opened
}
