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
  /** All keys of the log with this origin, past ones included. */
  logKeys(origin: string): readonly VerifierKey[]
  /** The current and future signing keys of the log with this origin. */
  signingLogKeys(origin: string): readonly VerifierKey[]
  /** The witnesses from which the service requests cosignatures. */
  readonly witnesses: readonly PolicyWitness[]
  /** Public keys of the service in base64url, by kind. */
  serviceKeys(): Readonly<Record<string, readonly string[]>>
  /** The last successful `audit verify`: UNIX seconds, and the size of the newest log at that time. */
  lastCheck(): Promise<{ readonly at: number; readonly size: number } | undefined>
  /** The public origin of the service. With `https`, cookies are `Secure`. */
  readonly origin: string
  /** Secret key that authenticates cookies: 32 bytes, the same in every process. */
  readonly cookieKey: Uint8Array
  /** Secret key that binds accounts to their tokens: 32 bytes, the same in every process. */
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
