/** The log with the keys that decrypt its details, for exports and evidence. */
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { LeafKind } from 'miniseal-protocol/tlog/audit-leaf'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import type { VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import type { PolicyWitness } from 'miniseal-protocol/tlog/tlog-policy'
import { readOperatorPaths } from '../config/environment.ts'
import { readServiceKey } from '../keys/keyring.ts'
import type { ServiceKeyKind } from '../store/service-keys.ts'
import type { Store } from '../store/store.ts'
import { createAppender } from '../tlog/appender.ts'
import type { BlindIndexOf } from '../tlog/blind-index.ts'
import { cacheBlindIndex, createBlindIndex } from '../tlog/blind-index.ts'
import { createRowMacs } from '../tlog/row-macs.ts'
import { readLogSettings } from '../tlog/settings.ts'
import type { FindSubjectKey } from '../tlog/subject-keys.ts'
import { createSubjectKeyFinder } from '../tlog/subject-keys.ts'
import type { ExitCode, Terminal } from './command.ts'
import { CommandFailed } from './command.ts'
import { withDatabase } from './database.ts'
import { readLookupKey, requireMasterKey } from './master-key.ts'

interface DecryptedLog {
  readonly store: Store
  readonly findKey: FindSubjectKey
  readonly blindIndexOf: BlindIndexOf
  /** Verifier keys of the log of an origin. */
  readonly logKeys: (origin: string) => readonly VerifierKey[]
  /** The witnesses of the service's policy. */
  readonly witnesses: readonly PolicyWitness[]
  /** Public keys of the service by kind, in base64url. */
  readonly serviceKeys: Readonly<Record<string, readonly string[]>>
  /**
   * Appends a pending entry about the access, which a running service sequences. Called before any data is disclosed.
   *
   * @throws CommandFailed, StoreUnavailable
   */
  logAccess(kind: LeafKind, facts: FlatObject): Promise<void>
}

/** @throws CommandFailed without a database or a master key */
export async function withDecryptedLog(
  terminal: Terminal,
  work: (log: DecryptedLog) => Promise<ExitCode>,
): Promise<ExitCode> {
  const wrapper = requireMasterKey(terminal)
  const { retention } = readOperatorPaths(terminal.environment)
  return await withDatabase(terminal, async (store) => {
    const lookupKey = await readLookupKey(store, wrapper)
    const keys = (await store.listServiceKeys()).map((record) => readServiceKey(record, wrapper))
    const publicKeys = (kind: ServiceKeyKind): readonly Uint8Array[] =>
      keys.filter((key) => key.kind === kind).map(({ publicKey }) => publicKey)
    const blindIndexOf = cacheBlindIndex(createBlindIndex(lookupKey))
    const appender = createAppender({
      store,
      keys: undefined,
      blindIndexOf,
      macs: createRowMacs(lookupKey),
      retention,
      now: () => Math.floor(Date.now() / 1000),
      notify: () => {},
    })
    return await work({
      store,
      findKey: createSubjectKeyFinder(store, wrapper),
      blindIndexOf,
      logKeys: (name) => publicKeys('log').map((publicKey) => ({ kind: 'ed25519', name, publicKey })),
      witnesses: readLogSettings(terminal.environment).witnesses,
      serviceKeys: {
        roots: publicKeys('root').map(encodeBase64Url),
        signing: publicKeys('signing').map(encodeBase64Url),
      },
      async logAccess(kind, facts) {
        const leaves = [appender.systemEntry(kind, facts)]
        if ((await appender.commit({ writes: [], leaves })).kind !== 'committed')
          throw new CommandFailed('the access cannot be logged, so it is refused')
      },
    })
  })
}
