/**
 * A captured request or answer, as `miniseal explain` reads it: what a person saved somewhere, in one of a few forms.
 * All of it is untrusted: any bytes at all must end in a capture or in {@link UnreadableCapture}.
 */
import type { Field, RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import type { MessageId } from './words-en.ts'

/** What cannot be read as any of the forms; the message says which there are, in words for a person. */
export class UnreadableCapture extends Error {}

/** Something about the capture itself that a person should know: a row of the table of words. */
export interface Note {
  readonly id: MessageId
  readonly detail: string
}

export interface CapturedRequest {
  /** As a backend sees it: names in lower case, repeated fields joined with a comma. */
  readonly message: RequestMessage
  /** The fields as they stood, one entry for each line; names in lower case. */
  readonly lines: readonly Field[]
}

export interface Problem {
  readonly code: string
  readonly step: string | undefined
  readonly detail: string | undefined
  /** UNIX seconds, by the service's clock. */
  readonly time: number | undefined
  /** Lower-case hex; development only. */
  readonly baseSha256: string | undefined
  readonly baseLengths: string | undefined
}

/** At least one of the first three is there. */
export interface Capture {
  readonly request?: CapturedRequest
  readonly response?: ResponseMessage
  readonly problem?: Problem
  /** When it was captured, UNIX seconds. */
  readonly at?: number
  readonly notes: readonly Note[]
}

/** A request before its fields are joined. */
export interface RawRequest {
  readonly method: string
  /** What stood in the request line, or a whole URL. */
  readonly target: string
  readonly lines: readonly Field[]
  readonly content: Uint8Array
}

const absolute = /^([A-Za-z][A-Za-z0-9+.-]{0,15}):\/\/([^/?#]*)([^#]*)/

/** @returns the request as a backend sees it, and what was noticed on the way */
export function requestOf(raw: RawRequest): {
  readonly request: CapturedRequest
  readonly notes: readonly Note[]
} {
  const lines = raw.lines.map(([name, value]): Field => [name.toLowerCase(), value])
  const named = (name: string): string | undefined => lines.find(([other]) => other === name)?.[1].trim()
  const [, , urlAuthority, urlTarget] = absolute.exec(raw.target) ?? []
  const authority = named('host') ?? named(':authority') ?? urlAuthority ?? ''
  const fields = joined(lines.filter(([name]) => !name.startsWith(':')))
  const path = (urlTarget ?? raw.target.split('#')[0] ?? '') || '/'
  const repeated = fields.filter(([name]) => lines.filter(([other]) => other === name).length > 1)
  const notes: Note[] = repeated.map(([name]) => ({ id: 'field-repeated', detail: name }))
  if (authority === '') notes.push({ id: 'no-host', detail: '' })
  // Whatever the last hop spoke, the protocol's inner requests have this scheme.
  const message = { method: raw.method, scheme: 'https', authority, path, fields, content: raw.content }
  return { request: { message, lines }, notes }
}

/** Repeated fields become one, as RFC 9421, section 2.1, and every server's request object do it. */
export function joined(lines: readonly Field[]): readonly Field[] {
  const values = new Map<string, string>()
  for (const [name, value] of lines) {
    const known = values.get(name)
    values.set(name, known === undefined ? value.trim() : `${known}, ${value.trim()}`)
  }
  return [...values]
}
