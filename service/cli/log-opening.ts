/** A service's log, with the keys to open what is sealed in it: for commands of an auditor who is trusted with them. */
import { existsSync } from 'node:fs'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { LeafKind } from 'miniseal-protocol/tlog/audit-leaf'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import type { VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import type { PolicyWitness } from 'miniseal-protocol/tlog/tlog-policy'
import { readOperatorPaths } from '../config/operator-paths.ts'
import type { ServiceKey } from '../keys/service-key.ts'
import { readServiceKey } from '../keys/service-key.ts'
import { createSecretWrapper } from '../keys/wrapping.ts'
import { openStore } from '../store/open-store.ts'
import type { ServiceKeyKind } from '../store/service-keys.ts'
import type { Store } from '../store/store.ts'
import { createAppender } from '../tlog/appender.ts'
import type { BlindIndexOf } from '../tlog/blind-index.ts'
import { cacheBlindIndex, createBlindIndex } from '../tlog/blind-index.ts'
import { createRowMacs, type RowMacs } from '../tlog/row-macs.ts'
import type { RetentionSettings } from '../tlog/settings.ts'
import { readLogSettings } from '../tlog/settings.ts'
import type { FindSubjectKey } from '../tlog/subject-keys.ts'
import { createSubjectKeyFinder } from '../tlog/subject-keys.ts'
import type { ExitCode, Terminal } from './command.ts'
import { CommandFailed } from './command.ts'

export interface OpenedLog {
  readonly store: Store
  readonly findKey: FindSubjectKey
  readonly blindIndexOf: BlindIndexOf
  /** Of the log of this origin. */
  readonly logKeys: (origin: string) => readonly VerifierKey[]
  /** Those that the service asks to cosign. */
  readonly witnesses: readonly PolicyWitness[]
  /** Public keys of the service, by kind: b64u. */
  readonly serviceKeys: Readonly<Record<string, readonly string[]>>
  /**
   * Stages a leaf that tells what was done here. Whoever is to see something calls it first: what is not logged is not
   * shown. A running service gives it its place.
   */
  logAccess(kind: LeafKind, facts: FlatObject): Promise<void>
}

/** @throws CommandFailed without a database, or without the master key. */
export async function withOpenedLog(
  { environment }: Terminal,
  work: (log: OpenedLog) => Promise<ExitCode>,
): Promise<ExitCode> {
  const { database, masterKeys, retention } = readOperatorPaths(environment)
  if (masterKeys === undefined)
    throw new CommandFailed('MINISEAL_MASTER_KEY is needed to open what is sealed')
  if (database.kind === 'sqlite' && !existsSync(database.path)) {
    throw new CommandFailed(
      `there is no database at ${database.path}: set MINISEAL_DATABASE as for the service`,
    )
  }
  const store = await openStore(database)
  try {
    const wrapper = createSecretWrapper(masterKeys)
    const keys = (await store.listServiceKeys()).map((record) => readServiceKey(record, wrapper))
    const lookupKey = findLookupKey(keys)
    const blindIndexOf = cacheBlindIndex(createBlindIndex(lookupKey))
    return await work({
      store,
      findKey: createSubjectKeyFinder(store, wrapper),
      blindIndexOf,
      logKeys: (origin) =>
        keys
          .filter(({ kind }) => kind === 'log')
          .map(({ publicKey }): VerifierKey => ({ kind: 'ed25519', name: origin, publicKey })),
      witnesses: readLogSettings(environment).witnesses,
      serviceKeys: { roots: publicKeys(keys, 'root'), signing: publicKeys(keys, 'signing') },
      logAccess: createAccessLogger(store, { blindIndexOf, macs: createRowMacs(lookupKey) }, retention),
    })
  } finally {
    await store.close()
  }
}

function findLookupKey(keys: readonly ServiceKey[]): Uint8Array {
  const key = keys.find(({ kind }) => kind === 'lookup')
  if (key === undefined) throw new CommandFailed('the database has no lookup key: it is not a service’s')
  return key.secretKey
}

function publicKeys(keys: readonly ServiceKey[], kind: ServiceKeyKind): readonly string[] {
  return keys.filter((key) => key.kind === kind).map(({ publicKey }) => encodeBase64Url(publicKey))
}

function createAccessLogger(
  store: Store,
  keyed: { readonly blindIndexOf: BlindIndexOf; readonly macs: RowMacs },
  retention: RetentionSettings,
): OpenedLog['logAccess'] {
  const now = (): number => Math.floor(Date.now() / 1000)
  const appender = createAppender({
    store,
    keys: undefined,
    ...keyed,
    retention,
    now,
    notify: () => {},
  })
  return async (kind, facts) => {
    const { kind: outcome } = await appender.commit({
      writes: [],
      leaves: [appender.systemEntry(kind, facts)],
    })
    if (outcome !== 'committed')
      throw new CommandFailed('what is done here cannot be logged, so it is not done')
  }
}
