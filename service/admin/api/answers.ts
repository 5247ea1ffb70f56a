/** JSON responses of the auditors' API, shared with the pages. */
import type { GroupLabel } from 'miniseal-protocol/tlog/audit-leaf'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import type { AuditorRole } from '../../store/auditors.ts'
import type { LeafResult } from '../../store/tlog-entries.ts'

/** `GET /audit/api/session`, and the answer to a sign-in. */
export interface SessionAnswer {
  readonly name: string
  readonly role: AuditorRole
  /** The origin of the newest log. */
  readonly origin: string
  /** Verifier keys of the log, according to the service. Compare them with a copy from another source. */
  readonly keys: readonly string[]
}

/** An entry as a row of a table. */
export interface EntryRow {
  readonly globalIndex: number
  readonly log: number
  readonly index: number
  /** UUID */
  readonly id: string
  /** Leaf hash, b64u. */
  readonly hash: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly kind: string
  readonly result: LeafResult
  readonly code: string | null
  readonly app: string | null
  /** `erased`: pruned or shredded. `damaged`: tampered with. */
  readonly detail: 'opened' | 'erased' | 'none' | 'damaged'
  /** Method, path, status. */
  readonly core?: FlatObject
  /** User and device. */
  readonly sub?: FlatObject
  /** Public facts of the leaf. */
  readonly facts?: FlatObject
}

/** `GET /audit/api/entries` */
export interface PageAnswer {
  readonly entries: readonly EntryRow[]
  /** `before` of the next page; `null` on the last page. */
  readonly next: string | null
}

/** Entries of one step, by result. */
export interface TimeBucket {
  /** Milliseconds since 1970, of the beginning of the step. */
  readonly at: number
  readonly ok: number
  readonly refused: number
  readonly failed: number
  readonly unknown: number
}

/** `GET /audit/api/timeline` */
export interface TimelineAnswer {
  /** Milliseconds. */
  readonly from: number
  readonly until: number
  readonly step: number
  readonly buckets: readonly TimeBucket[]
  /** False: only the newest entries were counted. */
  readonly isComplete: boolean
}

/** A disclosed group. */
export interface ShownGroup {
  /** base64, 32 bytes. */
  readonly salt: string
  readonly value: string
}

/** The inclusion proof of an entry. */
export interface ShownProof {
  readonly index: number
  readonly size: number
  /** base64, the leaf's sibling first. */
  readonly path: readonly string[]
  /** The signed note, with the witnesses' lines. */
  readonly checkpoint: string
}

/** `GET /audit/api/entries/{id}` */
export interface EntryAnswer {
  readonly row: EntryRow
  /** base64 of the leaf's bytes. */
  readonly leaf: string
  readonly groups: Readonly<Partial<Record<GroupLabel, ShownGroup>>>
  /** Groups that the auditor's role may not see. */
  readonly withheld: readonly GroupLabel[]
  /** `null` while no checkpoint is signed over the entry. */
  readonly proof: ShownProof | null
}

/** `GET /audit/api/consistency` */
export interface ConsistencyAnswer {
  readonly origin: string
  readonly from: number
  readonly size: number
  /** base64 */
  readonly proof: readonly string[]
  readonly checkpoint: string
}

/** A checkpoint in the list. */
export interface CheckpointRow {
  readonly size: number
  /** UNIX seconds. */
  readonly signedAt: number
  /** Number of cosignatures. */
  readonly cosignatures: number
  readonly isTimestamped: boolean
}

/** The progress of a witness. */
export interface WitnessRow {
  readonly name: string
  readonly size: number
  readonly cosignedAt: number | null
  readonly triedAt: number
  readonly failure: string | null
}

/** `GET /audit/api/integrity` */
export interface IntegrityAnswer {
  /** UNIX seconds, by the service's clock. */
  readonly now: number
  readonly health: string
  readonly origin: string
  /** The size of the tree, which may be larger than that of the checkpoint. */
  readonly size: number
  readonly pending: number
  readonly checkpoint: { readonly size: number; readonly age: number | null; readonly note: string } | null
  /** The newest first. */
  readonly checkpoints: readonly CheckpointRow[]
  readonly witnesses: readonly WitnessRow[]
  /** The last `audit verify` on this machine without a finding. */
  readonly lastCheck: { readonly at: number; readonly size: number } | null
  readonly gaps: readonly EntryRow[]
  readonly erasures: readonly EntryRow[]
  readonly keyChanges: readonly EntryRow[]
}

/** `GET /audit/api/overview` */
export interface OverviewAnswer {
  /** Milliseconds. */
  readonly from: number
  readonly until: number
  readonly step: number
  readonly buckets: readonly TimeBucket[]
  /** Refusals by code, the most frequent first; `counts` has one number for each bucket. */
  readonly refusals: readonly CountedSeries[]
  readonly devices: readonly number[]
  readonly logins: readonly number[]
  readonly stepUps: readonly number[]
}

/** One line of a chart. */
export interface CountedSeries {
  readonly code: string
  readonly total: number
  readonly counts: readonly number[]
}

/** Problem codes of the API. The pages have a text for each. */
export type AuditProblem =
  | 'signed_out'
  | 'token_refused'
  | 'too_many_tries'
  | 'other_site'
  | 'too_many_concurrent'
  | 'not_for_your_role'
  | 'unknown_parameter'
  | 'invalid_parameter'
  | 'not_found'
  | 'not_yet'
  | 'unavailable'

/** The body of a refusal: `application/problem+json`. */
export interface ProblemAnswer {
  readonly title: string
  readonly status: number
  readonly code: AuditProblem
  /** The query parameter that is unknown or invalid. */
  readonly field?: string
}
