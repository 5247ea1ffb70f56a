/**
 * What an inner HTTP message may contain, for writers and readers alike.
 *
 * Each rule removes a second reading: a name that means two things to two HTTP stacks, a path that a URL parser
 * rewrites after the signature was made, a length that is stated twice. All arguments are attacker-controlled.
 */
import { FormatError } from './errors.ts'

const MAX_FIELDS = 64
/** Bytes of the path with its query. */
const MAX_PATH = 4096
/** Bytes: a DNS name of 255, a colon and a port. */
const MAX_AUTHORITY = 261

const METHOD = /^[A-Z]{1,16}$/
const SCHEME = /^[a-z][a-z0-9+.-]{0,15}$/
/** RFC 3986 host and port, without userinfo (RFC 9113, section 8.3.1) and without percent-encoding. */
const AUTHORITY = /^(?:[A-Za-z0-9._~!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/
/** RFC 3986 path and query: other visible ASCII is rewritten by URL parsers, for instance `\` to `/`. */
const PATH = /^\/[A-Za-z0-9._~!$&'()*+,;=:@/?%-]*$/
const BROKEN_ESCAPE = /%(?![0-9A-Fa-f]{2})/
const EMPTY_QUERY = /^[^?]*\?$/
/** Before the query. URL parsers resolve these, also when the dots are percent-encoded. */
const DOT_SEGMENT = /^[^?]*\/(?:\.|%2e){1,2}(?:[/?]|$)/i
/** RFC 9110 token in lower case; so also no `:` of a pseudo-field. */
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
/** Visible ASCII, with spaces and tabs only inside. */
const FIELD_VALUE = /^(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?$/

/** Connection-specific (RFC 9113, section 8.2.2), and `host`, which would state the authority a second time. */
const FORBIDDEN_FIELDS = new Set([
  'connection',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
])

/** @throws FormatError unless `method` is 1 to 16 upper-case letters. */
export function assertMethod(method: string): void {
  if (!METHOD.test(method)) throw new FormatError('method is not 1 to 16 upper-case letters')
}

/** @throws FormatError unless `scheme` is a lower-case RFC 3986 scheme of at most 16 characters. */
export function assertScheme(scheme: string): void {
  if (!SCHEME.test(scheme)) throw new FormatError('scheme is not a lower-case uri scheme')
}

/** @throws FormatError unless `authority` is `host[:port]`. */
export function assertAuthority(authority: string): void {
  if (authority.length > MAX_AUTHORITY || !AUTHORITY.test(authority)) {
    throw new FormatError('authority is not host[:port]')
  }
}

/**
 * `path` with its query, as RFC 3986 writes it. A `?` with nothing after it is refused, because `@query` cannot
 * tell it from no query (RFC 9421, section 2.2.7); dot segments are refused, because URL parsers resolve them.
 * @throws FormatError
 */
export function assertPath(path: string): void {
  if (path.length > MAX_PATH) throw new FormatError('path too long')
  if (!PATH.test(path) || BROKEN_ESCAPE.test(path))
    throw new FormatError('path is not a uri path with an optional query')
  if (EMPTY_QUERY.test(path)) throw new FormatError('path with an empty query')
  if (DOT_SEGMENT.test(path)) throw new FormatError('path with a dot segment')
}

/** @throws FormatError unless `status` is a final status, 200 to 599. */
export function assertStatus(status: number): void {
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw new FormatError('status not within 200 to 599')
}

/**
 * At most 64 fields, each name once, no connection-specific field, and a `content-length` only when it is true.
 * @param contentLength bytes of the content of the message.
 * @throws FormatError
 */
export function assertFields(fields: readonly (readonly [string, string])[], contentLength: number): void {
  if (fields.length > MAX_FIELDS) throw new FormatError('too many fields')
  const names = new Set<string>()
  for (const [name, value] of fields) {
    if (!FIELD_NAME.test(name)) throw new FormatError('field name is not a lower-case token')
    if (names.has(name)) throw new FormatError('field name repeated')
    names.add(name)
    if (FORBIDDEN_FIELDS.has(name)) throw new FormatError('field not allowed in binary http')
    if (!FIELD_VALUE.test(value)) throw new FormatError('field value is not trimmed visible ascii')
    if (name === 'content-length' && value !== String(contentLength))
      throw new FormatError('content-length is not the length')
  }
}
