/** What is known besides the capture. */
import type { KnownKey } from './public-keys.ts'
import type { Budget } from './search.ts'

export interface ExplainOptions {
  readonly keys: readonly KnownKey[]
  /** Host and port of the service's origin; `Host` of the capture otherwise. */
  readonly authority?: string | undefined
  /** When the request arrived, UNIX seconds, where somebody knows. */
  readonly at?: number | undefined
  /** UNIX seconds. */
  readonly now: number
  /** The text that the signer signed. */
  readonly signerBase?: string | undefined
  /** What the service says it checked: lower-case hex. */
  readonly baseSha256?: string | undefined
  readonly budget: Budget
}

/** For a person who waits: under a second. */
export const patient: Budget = { tries: 2500, pairs: true }

/** For a server between two requests: some milliseconds. */
export const brief: Budget = { tries: 250, pairs: false }
