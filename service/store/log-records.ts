/**
 * What the store keeps of the audit log (`docs/reference/protocol.md`, "Leaf").
 *
 * A leaf is *staged* in the transaction of what it tells of; one sequencer then gives it its index in the tree. Leaf
 * bytes are what was hashed: nobody writes them anew. Details are sealed with a key of the person they are about, who is
 * named here by a keyed tag only.
 */
import type { LeafResult } from 'miniseal-protocol/tlog/audit-leaf'

/** Leaves of one log (one origin) have indexs 0, 1, …; a new origin in the same database is the next log. */
export const indexesPerLog = 2 ** 40

/** Where an entry is, among all logs of the database: it orders them, and is the cursor of every list. */
export function globalIndexOf(log: number, index: number): number {
  return log * indexesPerLog + index
}

/** What came of it, as the leaf says. */
export type { LeafResult } from 'miniseal-protocol/tlog/audit-leaf'

/** A leaf with what it is found by. Tags are keyed digests of 8 bytes, of a user 16, so that a copy of the database tells nobody. */
export interface PendingEntry {
  /** The 16 bytes of the leaf's UUIDv7. */
  readonly id: Uint8Array
  /** The leaf hash (RFC 6962): 32 bytes. */
  readonly hash: Uint8Array
  readonly leaf: Uint8Array
  /** Milliseconds since 1970, as in the leaf. */
  readonly at: number
  readonly kind: string
  readonly result: LeafResult
  /** Of a refusal. */
  readonly code: string | null
  readonly app: string | null
  readonly userBlindIndex: Uint8Array | null
  readonly deviceBlindIndex: Uint8Array | null
  readonly ipBlindIndex: Uint8Array | null
  /** Of the whole path, without its query. */
  readonly pathBlindIndex: Uint8Array | null
  /** Of the path's first segment, `/wallet`. */
  readonly areaBlindIndex: Uint8Array | null
  /** Sealed groups and salts; null where there is nothing but the leaf. */
  readonly detail: Uint8Array | null
  /** UNIX seconds: when the detail is forgotten. */
  readonly detailExpiresAt: number
}

/** A leaf as it waits for its place. */
export interface AuthenticatedPendingEntry extends PendingEntry {
  /** Made by the service, see `log/seals.ts`; null where there was no key for it. */
  readonly mac: Uint8Array | null
}

/** A leaf with its place in the tree. */
export interface LogEntry extends PendingEntry {
  readonly globalIndex: number
}

/** A request that may have an effect and has no outcome yet. */
export interface IntentRecord {
  /** That of the leaf that will tell the outcome. */
  readonly id: Uint8Array
  /** Names the key that `draft` is sealed with; null: the service's own. */
  readonly userBlindIndex: Uint8Array | null
  /** Sealed: what the leaf will say, as far as it is known. */
  readonly draft: Uint8Array
  /** UNIX seconds. */
  readonly startedAt: number
}

export type AuditorRole = 'reader' | 'discloser'

export interface AuditorRecord {
  readonly name: string
  /** Binds the token to name, role and times: 32 bytes, see `auditors/accounts.ts`. */
  readonly tokenHash: Uint8Array
  readonly role: AuditorRole
  /** UNIX seconds. */
  readonly createdAt: number
  readonly expiresAt: number
  readonly revokedAt: number | null
  /** Whoever signed in up to then is signed out; null: nobody has signed out yet. */
  readonly signedOutAt: number | null
}

/** The tree of one log as far as it is sequenced. */
export interface LogState {
  readonly log: number
  readonly origin: string
  readonly size: number
  /** 32 bytes. */
  readonly root: Uint8Array
  /** Made by the service, see `log/seals.ts`; null: somebody else wrote this. */
  readonly mac: Uint8Array | null
}

/** Up to 256 hashes of 32 bytes; the last tile of a level grows (C2SP tlog-tiles). */
export interface TileRecord {
  readonly log: number
  readonly level: number
  readonly index: number
  readonly hashes: Uint8Array
}

export interface CheckpointRecord {
  readonly log: number
  readonly size: number
  /** UNIX seconds, of its last signing. */
  readonly signedAt: number
  /** The signed note, without cosignatures. */
  readonly note: string
  /** Signature lines of witnesses, as they came. */
  readonly cosignatures: string
  /** RFC 3161, DER; null where none was asked for. */
  readonly timestampToken: Uint8Array | null
}

/** How far a witness has come. */
export interface WitnessRecord {
  readonly name: string
  readonly log: number
  /** The size it cosigned last. */
  readonly size: number
  readonly cosignedAt: number | null
  readonly triedAt: number
  /** Why the last try failed; null after a good one. */
  readonly failure: string | null
}

/** Entries of one hour, by what they are: made with the entries, for charts. */
export interface HourlyCount {
  /** UNIX seconds of its beginning. */
  readonly hour: number
  readonly kind: string
  readonly result: LeafResult
  /** Empty without a refusal. */
  readonly code: string
  readonly entries: number
}
