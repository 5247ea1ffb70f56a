/**
 * Rules for inner HTTP messages, for encoders and parsers.
 *
 * Each rule removes an ambiguity: names that HTTP stacks interpret differently, paths that URL parsers rewrite after they
 * were signed, a second content length. All arguments are attacker-controlled.
 */
import { FormatError } from '../errors.ts'
import { decodeUtf8, encodeUtf8 } from '../text.ts'

const MAX_FIELDS = 64
/** Bytes of the path, including the query. */
const MAX_PATH = 4096
/** Bytes: a DNS name of 255, a colon and a port. */
const MAX_AUTHORITY = 261

const METHOD = /^[A-Z]{1,16}$/
const SCHEME = /^[a-z][a-z0-9+.-]{0,15}$/
/** RFC 3986 host and port, without userinfo (RFC 9113, section 8.3.1) and without percent-encoding. */
const AUTHORITY = /^(?:[A-Za-z0-9._~!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/
/**
 * Segments of RFC 3986 `pchar` without `;`, which servers strip as a parameter. Percent-encoding is in upper case.
 * Unreserved characters, controls, `/` `\` `;` and `%` must not be encoded. Only the segment after a trailing slash may be
 * empty.
 */
const PATH =
  /^(?:\/(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%(?:2[0-46-9A-C]|3[AC-F]|40|5[BDE]|60|7[B-D]|[89A-F][0-9A-F]))+)*\/?$/
/** Without its `?`. Any byte may be encoded, because the query does not affect routing. */
const QUERY = /^(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})+$/
/** Path parsers resolve these. Encoded dots are not allowed in a path. */
const DOT_SEGMENT = /\/\.{1,2}(?:\/|$)/
/** A character that the canonical form does not encode. */
const PLAIN_SEGMENT_CHARACTER = /^[A-Za-z0-9._~!$&'()*+,=:@-]$/
/** RFC 9110 token in lower case. Excludes the `:` of pseudo-fields. */
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
/** Visible ASCII, with spaces and tabs only between other characters. */
const FIELD_VALUE = /^(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?$/

/** Connection-specific fields (RFC 9113, section 8.2.2), and `host`, which would repeat the authority. */
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
 * The grammar of paths (protocol, section 11), for encoders, parsers, signers, verifiers and routers. URL parsers do not
 * change an accepted path, and decoding does not change its segments.
 *
 * An empty query is rejected, because its `@query` equals that of no query (RFC 9421, section 2.2.7).
 * @param path including the query
 * @throws FormatError
 */
export function assertPath(path: string): void {
  if (path.length > MAX_PATH) throw new FormatError('path too long')
  const mark = path.indexOf('?')
  const pathname = pathWithoutQuery(path)
  if (mark >= 0 && mark === path.length - 1) throw new FormatError('path with an empty query')
  if (pathname === '' || !PATH.test(pathname) || (mark >= 0 && !QUERY.test(path.slice(mark + 1))))
    throw new FormatError('path is not a uri path with an optional query')
  if (DOT_SEGMENT.test(pathname)) throw new FormatError('path with a dot segment')
  decodedSegments(pathname)
}

/**
 * The decoded segments of a path: `['wallet', '午']` of `/wallet/%E5%8D%88?page=2`. A trailing slash gives an empty last
 * segment, and `/` gives `['']`.
 * @param path accepted by {@link assertPath}; the query may be omitted
 * @throws FormatError when the decoded bytes are not UTF-8.
 */
export function decodedSegments(path: string): readonly string[] {
  return pathWithoutQuery(path)
    .slice(1)
    .split('/')
    .map((segment) => decodeSegment(segment))
}

/**
 * The path without its query in canonical form: only characters that must be encoded are encoded. `/a%21` and `/a!` have the
 * same canonical form.
 * @param path accepted by {@link assertPath}
 */
export function canonicalPath(path: string): string {
  return `/${decodedSegments(path).map(encodeSegment).join('/')}`
}

/** The part before the query. */
export function pathWithoutQuery(path: string): string {
  const mark = path.indexOf('?')
  return mark < 0 ? path : path.slice(0, mark)
}

function decodeSegment(segment: string): string {
  if (segment.indexOf('%') < 0) return segment
  const bytes: number[] = []
  for (let i = 0; i < segment.length; i++) {
    const isEncoded = segment.charAt(i) === '%'
    bytes.push(isEncoded ? parseInt(segment.slice(i + 1, i + 3), 16) : segment.charCodeAt(i))
    if (isEncoded) i += 2
  }
  return decodeUtf8(Uint8Array.from(bytes))
}

function encodeSegment(segment: string): string {
  let text = ''
  for (const byte of encodeUtf8(segment)) {
    const character = String.fromCharCode(byte)
    text += PLAIN_SEGMENT_CHARACTER.test(character) ? character : `%${byte.toString(16).toUpperCase()}`
  }
  return text
}

/** @throws FormatError unless `status` is a final status, 200 to 599. */
export function assertStatus(status: number): void {
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw new FormatError('status not within 200 to 599')
}

/**
 * Requires at most 64 fields, unique names, no connection-specific fields, and a correct `content-length` if present.
 * @param contentLength bytes of the content
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
      throw new FormatError('content-length is wrong')
  }
}

const safeMethods: readonly string[] = ['GET', 'HEAD', 'OPTIONS']

/** Whether the method is safe (RFC 9110, section 9.2.1) and needs no Idempotency-Key. */
export function isSafeMethod(method: string): boolean {
  return safeMethods.indexOf(method) >= 0
}
