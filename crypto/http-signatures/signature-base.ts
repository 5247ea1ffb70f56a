/**
 * The signature base of HTTP Message Signatures (RFC 9421, section 2): the text that is signed.
 *
 * ```
 * base = *( serialized component ": " value LF ) "\"@signature-params\": " serialized inner list      no LF at the end
 * ```
 * Supported are all derived components except `@query-param`, whole fields, and the parameters `req` and `key`. Any other
 * component is an error.
 */

import { FormatError } from '../errors.ts'
import { type Field, findField, type RequestMessage, type ResponseMessage } from '../frames/binary-http.ts'
import { pathWithoutQuery } from './message-rules.ts'
import {
  type BareItem,
  type InnerList,
  type Item,
  type Parameters,
  parseDictionary,
  serializeInnerList,
  serializeItem,
  serializeMember,
} from './structured-fields.ts'

/**
 * The signed message: `response` if present, else `request`. With `response`, `request` is the request that it answers, for
 * components with `;req`.
 */
export interface SignatureContext {
  readonly request?: RequestMessage
  readonly response?: ResponseMessage
}

/** A parsed component identifier. */
interface Component {
  readonly name: string
  /** Whether it belongs to the request of a response. */
  readonly req: boolean
  /** One member of a dictionary field. */
  readonly key: string | undefined
}

/** RFC 9110 token in lower case. */
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
/** Other characters, such as line breaks, could forge lines of the base. */
const LINE = /^[\t\x20-\x7e]*$/

const DEFAULT_PORTS: ReadonlyMap<string, string> = new Map([
  ['http', ':80'],
  ['https', ':443'],
])

/** The identifier `name` with `params`, for a list of covered components. */
export function componentItem(name: string, params: Parameters = new Map<string, BareItem>()): Item {
  return { kind: 'item', value: { kind: 'string', value: name }, params }
}

/**
 * The signature base (RFC 9421, section 2.5) for the covered components and parameters of `signatureParams`. The caller
 * checks the coverage. All arguments may be attacker-controlled.
 * @throws FormatError for a repeated, unknown, unsupported or misplaced component or parameter, an absent field or
 *   member, and a value that is not printable ASCII.
 */
export function signatureBase(signatureParams: InnerList, context: SignatureContext): string {
  const seen = new Set<string>()
  let base = ''
  for (const item of signatureParams.items) {
    const identity = componentIdentity(parseComponent(item))
    if (seen.has(identity)) throw new FormatError('component covered twice')
    seen.add(identity)
    const value = componentValue(item, context)
    if (value === undefined) throw new FormatError('covered component is absent')
    base += `${serializeItem(item)}: ${value}\n`
  }
  return `${base}"@signature-params": ${serializeInnerList(signatureParams)}`
}

/**
 * The value of one component (RFC 9421, sections 2.1 and 2.2); `undefined` when the field, or its member `key`, is absent.
 * @throws FormatError for an unknown, unsupported or misplaced component or parameter, and for a value that is malformed or
 *   not printable ASCII.
 */
export function componentValue(component: Item, context: SignatureContext): string | undefined {
  const parsed = parseComponent(component)
  const value = parsed.name.startsWith('@') ? derivedValue(parsed, context) : fieldValue(parsed, context)
  if (value !== undefined && !LINE.test(value))
    throw new FormatError('component value is not printable ascii')
  return value
}

function parseComponent(item: Item): Component {
  if (item.value.kind !== 'string') throw new FormatError('component is not a string')
  const name = item.value.value
  const derived = name.startsWith('@')
  if (!derived && !FIELD_NAME.test(name)) throw new FormatError('component is not a lower-case field name')
  let req = false
  let key: string | undefined
  for (const [param, value] of item.params) {
    if (param === 'req' && value.kind === 'boolean' && value.value) req = true
    else if (param === 'key' && value.kind === 'string' && !derived) key = value.value
    // Ignoring `sf`, `bs`, `tr` or `name` would sign another value.
    else throw new FormatError('unsupported component parameter')
  }
  return { name, req, key }
}

/** Does not depend on the order of the parameters. */
function componentIdentity({ name, req, key }: Component): string {
  return JSON.stringify([name, req, key])
}

/** Never reads fields (RFC 9421, section 7.5.1). */
function derivedValue({ name, req }: Component, context: SignatureContext): string {
  if (name === '@status') return statusOf(req, context)
  const request = requestOf(req, context)
  switch (name) {
    case '@method':
      return request.method
    case '@target-uri':
      return `${request.scheme.toLowerCase()}://${authorityOf(request)}${targetOf(request)}`
    case '@authority':
      return authorityOf(request)
    case '@scheme':
      return request.scheme.toLowerCase()
    case '@request-target':
      return targetOf(request)
    case '@path':
      return splitTarget(request).path
    case '@query':
      return splitTarget(request).query
    default:
      throw new FormatError('unsupported derived component')
  }
}

function fieldValue({ name, req, key }: Component, context: SignatureContext): string | undefined {
  const field = findField(fieldsOf(req, context), name)
  if (field === undefined) return undefined
  const value = trim(field)
  if (key === undefined) return value
  const member = parseDictionary(value).get(key)
  return member === undefined ? undefined : serializeMember(member)
}

/** Removes optional white space (RFC 9110, section 5.5). A regular expression would take quadratic time. */
function trim(value: string): string {
  let start = 0
  let end = value.length
  while (isSpace(value, start)) start++
  while (isSpace(value, end - 1)) end--
  return value.slice(start, end)
}

function isSpace(value: string, index: number): boolean {
  const unit = value.charAt(index)
  return unit === ' ' || unit === '\t'
}

function statusOf(req: boolean, { response }: SignatureContext): string {
  if (req || response === undefined) throw new FormatError('a request has no status')
  const status = String(response.status)
  if (!/^[1-5][0-9]{2}$/.test(status)) throw new FormatError('status is not three digits')
  return status
}

function requestOf(req: boolean, { request, response }: SignatureContext): RequestMessage {
  if (req !== (response !== undefined)) throw new FormatError('component belongs to the other message')
  if (request === undefined) throw new FormatError('the request of the component is missing')
  return request
}

function fieldsOf(req: boolean, context: SignatureContext): readonly Field[] {
  if (!req && context.response !== undefined) return context.response.fields
  return requestOf(req, context).fields
}

/** Lower case, without the default port (RFC 9421, section 2.2.3). */
function authorityOf({ scheme, authority }: RequestMessage): string {
  const host = authority.toLowerCase()
  const port = DEFAULT_PORTS.get(scheme.toLowerCase())
  return port !== undefined && host.endsWith(port) ? host.slice(0, -port.length) : host
}

/** Path and query as sent; the empty path is `/`. Percent-encoding is unchanged. */
function targetOf({ path }: RequestMessage): string {
  return path === '' || path.startsWith('?') ? `/${path}` : path
}

/** Without a query, `@query` is `?` (RFC 9421, section 2.2.7). */
function splitTarget(request: RequestMessage): { path: string; query: string } {
  const target = targetOf(request)
  const path = pathWithoutQuery(target)
  return { path, query: target.slice(path.length) || '?' }
}
