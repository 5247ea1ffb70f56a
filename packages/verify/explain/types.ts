/** Input and result of an explanation. */
import type { ProtocolCode } from 'miniseal-protocol/errors'
import type { Field, RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import type { KeyUse } from '../keys.ts'
import type { en } from './locales/en.ts'

export type FindingId = keyof typeof en.findings

/** One sentence of the report: its row in the locale, and what is inserted. */
export interface Finding {
  readonly id: FindingId
  /** Untrusted. */
  readonly detail: string
}

export type SignatureKind = 'device' | 'gateway' | 'push' | 'response'

export interface CapturedRequest {
  /** As a backend sees it: names in lower case, repeated fields joined with a comma. */
  readonly message: RequestMessage
  /** The fields as they arrived, one entry per line; names in lower case. */
  readonly lines: readonly Field[]
}

/** A problem document of the service. */
export interface ServiceProblem {
  readonly code: string
  readonly step: string | undefined
  readonly detail: string | undefined
  /** UNIX seconds, by the service's clock. */
  readonly time: number | undefined
  /** Lower-case hex; development only. */
  readonly baseSha256: string | undefined
  readonly baseLengths: string | undefined
}

/** Untrusted. At least one of the first three is present. */
export interface Capture {
  readonly request?: CapturedRequest
  readonly response?: ResponseMessage
  readonly problem?: ServiceProblem
  /** When it was captured, UNIX seconds. */
  readonly at?: number
  /** Remarks of the reader about the capture itself. */
  readonly notes: readonly Finding[]
}

export interface KnownKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** RFC 7638. */
  readonly thumbprint: string
  /** The `kid` in its key set; else the thumbprint. */
  readonly kid: string
  readonly source: 'option' | 'jwks' | 'request'
  /** Its `miniseal_use`. */
  readonly use?: KeyUse | undefined
}

/** Bounds the search: captures are untrusted. */
export interface Budget {
  /** The largest number of signature bases that are tried. */
  readonly tries: number
  /** Whether changes of two parts are tried together. */
  readonly pairs: boolean
}

/** The limit for interactive use: under a second. */
export const interactiveBudget: Budget = { tries: 2500, pairs: true }

/** The limit in a server, between two requests: a few milliseconds. */
export const inlineBudget: Budget = { tries: 250, pairs: false }

export interface ExplainOptions {
  readonly keys: readonly KnownKey[]
  /** Host and port of the service's origin; by default `Host` of the capture. */
  readonly authority?: string | undefined
  /** When the request arrived, UNIX seconds. */
  readonly at?: number | undefined
  /** UNIX seconds. */
  readonly now: number
  /** The signature base as the signer made it. */
  readonly signerBase?: string | undefined
  /** The digest of the base as the service made it: lower-case hex. */
  readonly baseSha256?: string | undefined
  readonly budget: Budget
}

export type StepName = 'signature' | 'window' | 'digest' | 'key' | 'verify' | 'token' | 'caller'

export interface Step {
  readonly name: StepName
  /** `unknown`: the capture and the keys do not suffice for the check. */
  readonly outcome: 'ok' | 'failed' | 'unknown'
  /** The code of the refusal. */
  readonly code?: ProtocolCode
  readonly detail: string
  readonly findings: readonly Finding[]
}

/** Another base than that of the capture: the one that was signed, or the one that the service made. */
export interface OtherBase {
  readonly whose: 'signer' | 'service'
  readonly base: string
}

/** The first byte that differs between two bases. */
export interface Difference {
  /** Byte offset, from 0. */
  readonly offset: number
  /** Line number, from 1. */
  readonly line: number
  /** Column in the line, from 1. */
  readonly column: number
  /** The component of the line, for example `@path`; may be empty. */
  readonly component: string
  /** `undefined` at the end of a text. */
  readonly ours: number | undefined
  readonly theirs: number | undefined
}

export interface SignatureReport {
  readonly kind: SignatureKind
  readonly label: string
  readonly keyid: string
  /** The checks, in the order of the service. */
  readonly steps: readonly Step[]
  /** The base of the captured message, without secrets. */
  readonly base?: string
  readonly other?: OtherBase
  readonly difference?: Difference
  /** What the digest of a development refusal shows. */
  readonly service?: readonly Finding[]
}

/** Contains no secrets: bases and details are redacted. */
export interface Report {
  /** No check failed. */
  readonly isGood: boolean
  readonly notes: readonly Finding[]
  /** About the capture as a whole. */
  readonly findings: readonly Finding[]
  readonly signatures: readonly SignatureReport[]
  readonly problem?: ServiceProblem
}

export function firstFailure(steps: readonly Step[]): Step | undefined {
  return steps.find(({ outcome }) => outcome === 'failed')
}
