/** A candidate for what was signed: the captured message with plausible changes, and the signature base it gives. */
import { FormatError } from 'miniseal-protocol/errors'
import type { Field, RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { pathWithoutQuery } from 'miniseal-protocol/http-signatures/message-rules'
import type { SignatureContext } from 'miniseal-protocol/http-signatures/signature-base'
import { signatureBase } from 'miniseal-protocol/http-signatures/signature-base'
import type { InnerList } from 'miniseal-protocol/http-signatures/structured-fields'
import type { Finding } from './types.ts'

/** With `response`, `request` is the one that it answers. */
export interface Candidate {
  readonly input: InnerList
  readonly request?: RequestMessage | undefined
  readonly response?: ResponseMessage | undefined
}

/** The part of a message that a change touches. Two changes of one part are not combined. */
export type Part = 'method' | 'authority' | 'path' | 'query' | 'status' | 'parameters' | `field ${string}`

/** A plausible difference between what was signed and what was captured. */
export interface Change extends Finding {
  readonly part: Part
  readonly apply: (candidate: Candidate) => Candidate
}

/** The base, or the reason why there is none: an absent component, or a value that is not printable ASCII. */
export function baseOrFault(candidate: Candidate): { readonly base: string } | { readonly fault: string } {
  try {
    return { base: signatureBase(candidate.input, contextOf(candidate)) }
  } catch (error) {
    if (error instanceof FormatError) return { fault: error.message }
    throw error
  }
}

function contextOf({ request, response }: Candidate): SignatureContext {
  return {
    ...(request === undefined ? {} : { request }),
    ...(response === undefined ? {} : { response }),
  }
}

export function baseOf(candidate: Candidate): string | undefined {
  const made = baseOrFault(candidate)
  return 'base' in made ? made.base : undefined
}

export function withRequest(
  candidate: Candidate,
  change: (request: RequestMessage) => Partial<RequestMessage>,
): Candidate {
  const { request } = candidate
  return request === undefined ? candidate : { ...candidate, request: { ...request, ...change(request) } }
}

/** @param value `undefined` removes the field */
export function withField(candidate: Candidate, name: string, value: string | undefined): Candidate {
  const { request, response } = candidate
  const changed = (fields: readonly Field[]): readonly Field[] => [
    ...fields.filter(([other]) => other !== name),
    ...(value === undefined ? [] : [[name, value] as const]),
  ]
  if (response !== undefined)
    return { ...candidate, response: { ...response, fields: changed(response.fields) } }
  if (request !== undefined) return { ...candidate, request: { ...request, fields: changed(request.fields) } }
  return candidate
}

/** The first of the fields with this name: a capture may repeat one. */
export function firstField(fields: readonly Field[], name: string): string | undefined {
  return fields.find(([other]) => other === name)?.[1]
}

/** Path and query of a request target; the query includes its `?`. */
export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const path = pathWithoutQuery(target)
  return { path, query: target.slice(path.length) }
}

/** Every order of the items but the given one. */
export function otherOrders<T>(items: readonly T[]): readonly (readonly T[])[] {
  return permutations(items).slice(1)
}

function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length < 2) return [items]
  return items.flatMap((first, index) =>
    permutations(items.filter((_, other) => other !== index)).map((order) => [first, ...order]),
  )
}
