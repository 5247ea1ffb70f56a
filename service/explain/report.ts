/** What was found out about a capture. Nothing in it is secret: bases and details are as they may be shown. */
import type { ProtocolCode } from 'miniseal-protocol/errors'
import type { Note, Problem } from './capture.ts'
import type { Difference } from './difference.ts'
import type { SignatureKind } from './signed-members.ts'
import type { MessageId } from './words-en.ts'

/** A row of the table of words, and what goes into it. */
export interface Finding {
  readonly id: MessageId
  readonly detail: string
}

/** The checks of one signature, in the order in which they are made. */
export type StepName = 'signature' | 'window' | 'digest' | 'key' | 'verify' | 'token' | 'caller'

export interface Step {
  readonly name: StepName
  /** `unknown`: it could not be checked with what is there. */
  readonly outcome: 'ok' | 'failed' | 'unknown'
  /** What the service or `verifyMiniseal` refuses with. */
  readonly code?: ProtocolCode
  /** The words of that refusal; untrusted parts are made printable. */
  readonly detail: string
  readonly findings: readonly Finding[]
}

/** The other base: what was signed, or what the service computed. */
export interface OtherBase {
  readonly whose: 'signer' | 'service'
  readonly base: string
}

export interface SignatureReport {
  readonly kind: SignatureKind
  readonly label: string
  readonly keyid: string
  readonly steps: readonly Step[]
  /** Made of the captured message, without secrets. */
  readonly base?: string
  readonly other?: OtherBase
  readonly difference?: Difference
  /** What the digest of a development refusal says. */
  readonly service?: readonly Finding[]
}

export interface Report {
  /** No check failed. */
  readonly isGood: boolean
  readonly notes: readonly Note[]
  /** About the capture as a whole: it is not signed, it is a sealed frame. */
  readonly findings: readonly Finding[]
  readonly signatures: readonly SignatureReport[]
  readonly problem?: Problem
}

/** The step that a person should look at, or `undefined` when none failed. */
export function firstFailure(steps: readonly Step[]): Step | undefined {
  return steps.find(({ outcome }) => outcome === 'failed')
}
