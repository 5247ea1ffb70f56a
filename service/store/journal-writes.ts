/** The writes by which the service keeps its journal, and by which it forgets a person: part of the contract in `store.ts`. */
import type { IntentRecord } from './log-records.ts'

/** Each touches exactly one row or is refused, but for those in {@link ForgettingWrite}. */
export type AppenderWrite =
  /** Refused when an intent of this id is there. */
  | { readonly kind: 'insert-intent'; readonly intent: IntentRecord }
  /**
   * Refused when the intent is gone. Of whoever tells what came of it at the same moment, in any number of processes,
   * exactly one commits.
   */
  | { readonly kind: 'delete-intent'; readonly id: Uint8Array }
  /**
   * Takes from a user what WeChat said of them, and the names of their devices. Refused when there is no such user. The
   * pseudonym stays: revoked devices and used keys are told by it.
   */
  | { readonly kind: 'blank-user'; readonly id: string; readonly now: number }
  | ForgettingWrite

/**
 * Touches any number of rows, also none, and is never refused. What is forgotten of an entry is all that it is found by
 * but its kind, result, code and app, and its detail; the leaf stays. A row that the sequencer moves at this moment is
 * met by the second of these: in one commit they stand in this order.
 */
export type ForgettingWrite =
  /** Of every staged leaf with this tag of a user, and of a device's where it has no user. */
  | { readonly kind: 'redact-pending-entries'; readonly blindIndex: Uint8Array }
  /** The same of at most `limit` entries. */
  | { readonly kind: 'redact-entries'; readonly blindIndex: Uint8Array; readonly limit: number }
  /** Takes the tag from the intents of a user. */
  | { readonly kind: 'redact-intents'; readonly blindIndex: Uint8Array }
  /** Takes the names from all devices of a user. */
  | { readonly kind: 'forget-device-names'; readonly user: string }
