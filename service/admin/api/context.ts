/** Dependencies of the auditors' API. */
import type { Context } from 'hono'
import type { VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import type { PolicyWitness } from 'miniseal-protocol/tlog/tlog-policy'
import type { Sender } from '../../limits/client-address.ts'
import type { Store } from '../../store/store.ts'
import type { Appender } from '../../tlog/appender.ts'
import type { BlindIndexOf } from '../../tlog/blind-index.ts'
import type { LogStatus } from '../../tlog/open-log.ts'
import type { LogReader } from '../../tlog/reader.ts'
import type { FindSubjectKey } from '../../tlog/subject-keys.ts'
import type { Auditor } from './accounts.ts'

export interface AuditParts {
  readonly store: Store
  readonly reader: LogReader
  readonly appender: Appender
  readonly blindIndexOf: BlindIndexOf
  readonly findKey: FindSubjectKey
  /** @throws StoreUnavailable */
  status(): Promise<LogStatus>
  /** Every key that the log of this origin ever had. */
  logKeys(origin: string): readonly VerifierKey[]
  /** The keys that sign this log now, and those that will. */
  signingLogKeys(origin: string): readonly VerifierKey[]
  /** Those that the service asks to cosign. */
  readonly witnesses: readonly PolicyWitness[]
  /** Public keys of the service, by kind: b64u. */
  serviceKeys(): Readonly<Record<string, readonly string[]>>
  /** The last check of the whole log that found nothing: UNIX seconds, and the size of the newest log then. */
  lastCheck(): Promise<{ readonly at: number; readonly size: number } | undefined>
  /** Of the service, as browsers see it: decides whether cookies are for https alone. */
  readonly origin: string
  /** Signs the cookies: 32 bytes, the same in every process. Secret. */
  readonly cookieKey: Uint8Array
  /** Binds accounts to their tokens: 32 bytes, the same in every process. Secret. */
  readonly accountKey: Uint8Array
  /** UNIX seconds. */
  now(): number
  sender(c: Context): Sender
}

/** The variables of a request under `/audit/api`. */
export interface AuditEnvironment {
  readonly Variables: { readonly auditor: Auditor }
}

/** A request of a signed-in auditor. */
export type AuditContext = Context<AuditEnvironment>
