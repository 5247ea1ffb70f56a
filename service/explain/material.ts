/** What a signature is over: the parts that a base is made of, and how one part is put in the place of another. */

import { FormatError } from 'miniseal-protocol/errors'
import type { Field, RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { signatureBase } from 'miniseal-protocol/http-signatures/signature-base'
import type { InnerList } from 'miniseal-protocol/http-signatures/structured-fields'
import type { MessageId } from './words-en.ts'

/** With `response` the signature is over an answer, and `request` is the one that it answers. */
export interface Material {
  readonly input: InnerList
  readonly request?: RequestMessage | undefined
  readonly response?: ResponseMessage | undefined
}

/** The part of a message that a change touches: two changes of one part are not tried together. */
export type Part = 'method' | 'authority' | 'path' | 'query' | 'status' | 'parameters' | `field ${string}`

/** One way in which what was signed may differ from what was captured. */
export interface Change {
  /** A row of the table of words. */
  readonly id: MessageId
  readonly part: Part
  /** What the part is with it, or its name. Untrusted. */
  readonly detail: string
  readonly apply: (material: Material) => Material
}

/** The base, or `undefined` where it cannot be made: a component is absent, or no printable ASCII. */
export function baseOf({ input, request, response }: Material): string | undefined {
  try {
    return signatureBase(input, {
      ...(request === undefined ? {} : { request }),
      ...(response === undefined ? {} : { response }),
    })
  } catch (error) {
    if (error instanceof FormatError) return undefined
    throw error
  }
}

/** Why {@link baseOf} gives nothing. */
export function baseFault({ input, request, response }: Material): string {
  try {
    signatureBase(input, {
      ...(request === undefined ? {} : { request }),
      ...(response === undefined ? {} : { response }),
    })
    return ''
  } catch (error) {
    return error instanceof FormatError ? error.message : 'no base'
  }
}

export function withRequest(
  material: Material,
  change: (request: RequestMessage) => Partial<RequestMessage>,
): Material {
  const { request } = material
  return request === undefined ? material : { ...material, request: { ...request, ...change(request) } }
}

/** @param value `undefined` takes the field away */
export function withField(material: Material, name: string, value: string | undefined): Material {
  const { request, response } = material
  const changed = (fields: readonly Field[]): readonly Field[] => [
    ...fields.filter(([other]) => other !== name),
    ...(value === undefined ? [] : [[name, value] as const]),
  ]
  if (response !== undefined)
    return { ...material, response: { ...response, fields: changed(response.fields) } }
  if (request !== undefined) return { ...material, request: { ...request, fields: changed(request.fields) } }
  return material
}

/** Path and query of a request target, the mark with the query. */
export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const mark = target.indexOf('?')
  return mark < 0 ? { path: target, query: '' } : { path: target.slice(0, mark), query: target.slice(mark) }
}
