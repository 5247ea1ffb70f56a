/** The log as commands access it: with the service's configuration, with decrypted details, or to append entries. */

import { authorityOf } from 'miniseal-protocol/frames/channel-configuration'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { LeafKind } from 'miniseal-protocol/tlog/audit-leaf'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import type { VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import type { PolicyWitness } from 'miniseal-protocol/tlog/tlog-policy'
import { logDependenciesOf } from '../audit-log.ts'
import type { Config } from '../config/config.ts'
import { readConfig } from '../config/config.ts'
import { readOperatorPaths } from '../config/environment.ts'
import { openKeyring, readServiceKey } from '../keys/keyring.ts'
import { createSecretWrapper } from '../keys/wrapping.ts'
import type { ServiceKeyKind } from '../store/service-keys.ts'
import type { Store, Write } from '../store/store.ts'
import { type Appender, createAppender } from '../tlog/appender.ts'
import { type BlindIndexOf, cacheBlindIndex, createBlindIndex } from '../tlog/blind-index.ts'
import { sessionEndEntries } from '../tlog/lifecycle-entries.ts'
import type { LogDependencies } from '../tlog/log-health.ts'
import { createRowMacs } from '../tlog/row-macs.ts'
import { readLogSettings } from '../tlog/settings.ts'
import type { FindSubjectKey } from '../tlog/subject-keys.ts'
import { createSubjectKeyFinder, createSubjectKeys } from '../tlog/subject-keys.ts'
import type { ExitCode, Terminal } from './command.ts'
import { CommandFailed } from './command.ts'
import { currentTime, readLookupKey, requireMasterKey, withDatabase } from './database.ts'
import { publicOrigin } from './development-file.ts'

interface LogContext {
  readonly config: Config
  readonly parts: LogDependencies
  /** Host and port of the public origin. */
  readonly authority: string
  /** UNIX seconds. */
  readonly now: number
}

/** The variables that {@link withLogContext} reads. */
export const serviceEnvironment = [
  'MINISEAL_DATABASE',
  'MINISEAL_DATA',
  'MINISEAL_ORIGIN',
  'MINISEAL_MASTER_KEY',
  'MINISEAL_LOG_ORIGIN',
] as const

/** Runs `work` with the database and keys, opened as the service opens them. @throws ConfigError, CommandFailed */
export async function withLogContext(
  terminal: Terminal,
  work: (context: LogContext) => Promise<ExitCode>,
): Promise<ExitCode> {
  const config = readConfig(terminal.environment)
  const now = currentTime()
  const authority = authorityOf(publicOrigin(config))
  return await withDatabase(terminal, async (store) => {
    const keyring = await openKeyring(store, createSecretWrapper(config.masterKeys), now)
    return await work({
      config,
      parts: logDependenciesOf(config, { store, keyring }, authority, now),
      authority,
      now,
    })
  })
}

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
   * Appends an entry about the access; a running service sequences it. Call it before data is disclosed.
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
      now: currentTime,
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
          throw new CommandFailed('the access cannot be logged')
      },
    })
  })
}

interface OperatorAppender {
  readonly appender: Appender
  /** `undefined` without a master key: entries then record the operation, but not the user. */
  readonly blindIndexOf: BlindIndexOf | undefined
}

/** An appender for changes by an operator. @throws ConfigError; Error for the master key of another database */
export async function openOperatorAppender(
  store: Store,
  { environment }: Terminal,
): Promise<OperatorAppender> {
  const { masterKeys, retention } = readOperatorPaths(environment)
  // Running services poll for pending entries every second.
  const parts = { store, retention, now: currentTime, notify: () => {} }
  if (masterKeys === undefined) {
    const unkeyed = { keys: undefined, blindIndexOf: unusedBlindIndex, macs: undefined }
    return { appender: createAppender({ ...parts, ...unkeyed }), blindIndexOf: undefined }
  }
  const wrapper = createSecretWrapper(masterKeys)
  const keyring = await openKeyring(store, wrapper, currentTime())
  const lookupKey = keyring.current('lookup', currentTime()).secretKey
  const [blindIndexOf, macs] = [createBlindIndex(lookupKey), createRowMacs(lookupKey)]
  const keys = createSubjectKeys(store, wrapper, currentTime)
  return { appender: createAppender({ ...parts, keys, blindIndexOf, macs }), blindIndexOf }
}

/**
 * Ends sessions or devices of a user and logs it, in one commit.
 *
 * @returns false if the first write was refused; nothing was changed
 */
export async function commitEnd(
  store: Store,
  terminal: Terminal,
  user: string,
  writes: readonly Write[],
): Promise<boolean> {
  const { appender } = await openOperatorAppender(store, terminal)
  const leaves = sessionEndEntries(appender, writes, { by: 'operator', user })
  return (await appender.commit({ writes, leaves })).kind === 'committed'
}

/** Without subject keys entries have no blind indexes, so it is not called. */
const unusedBlindIndex: BlindIndexOf = () => new Uint8Array(8)
