/** Reads the inputs of `miniseal explain`: captures of signed messages, and public keys. All input is untrusted. */
import { createPublicKey } from 'node:crypto'
import type { Field, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import type { Capture, CapturedRequest, Finding, KnownKey, ServiceProblem } from 'miniseal-verify/explain'
import { knownKey } from 'miniseal-verify/explain'
import { z } from 'zod'

/** The message names the forms that can be read. */
export class UnreadableCapture extends Error {}

/** Bytes. */
export const maxCapture = 33_554_432

const forms = `an HTTP/1.1 request or response as text,
  {"method", "url", "headers", "body": base64}, {"status", "headers", "body": base64},
  {"request": …, "response": …}, a HAR file or one of its entries, or a problem document`

/** @throws UnreadableCapture */
export function readCapture(bytes: Uint8Array): Capture {
  if (bytes.length === 0) throw new UnreadableCapture(`it is empty. Forms that can be read:\n  ${forms}`)
  if (bytes.length > maxCapture)
    throw new UnreadableCapture('it is larger than 32 MiB: reduce it to one request')
  const start = bytes.findIndex((byte) => ![0x0d, 0x0a, 0x20, 0x09].includes(byte))
  const rest = bytes.subarray(Math.max(0, start))
  const capture = isHttpText(rest) ? withProblem(readHttpText(rest)) : readJson(parseJson(rest))
  if (capture.at !== undefined) return capture
  const date = capture.response?.fields.find(([name]) => name === 'date')?.[1]
  const at = capture.problem?.time ?? secondsOf(date)
  return at === undefined ? capture : { ...capture, at }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(
      Buffer.from(bytes)
        .toString('utf8')
        .replace(/^\ufeff/, ''),
    )
  } catch {
    throw new UnreadableCapture(`it is neither HTTP text nor JSON. Forms that can be read:\n  ${forms}`)
  }
}

/** UNIX seconds of a number or a date. */
export function secondsOf(value: string | number | undefined): number | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'number' || /^[0-9]{1,12}$/.test(value)) return Number(value)
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.floor(at / 1000)
}

interface RawRequest {
  readonly method: string
  /** The request target, or a whole URL. */
  readonly target: string
  readonly lines: readonly Field[]
  readonly content: Uint8Array
}

const absolute = /^([A-Za-z][A-Za-z0-9+.-]{0,15}):\/\/([^/?#]*)([^#]*)/

function requestOf(raw: RawRequest): {
  readonly request: CapturedRequest
  readonly notes: readonly Finding[]
} {
  const lines = raw.lines.map(([name, value]): Field => [name.toLowerCase(), value])
  const named = (name: string): string | undefined => lines.find(([other]) => other === name)?.[1].trim()
  const [, , urlAuthority, urlTarget] = absolute.exec(raw.target) ?? []
  const authority = named('host') ?? named(':authority') ?? urlAuthority ?? ''
  const fields = joined(lines.filter(([name]) => !name.startsWith(':')))
  const path = (urlTarget ?? raw.target.split('#')[0] ?? '') || '/'
  const repeated = fields.filter(([name]) => lines.filter(([other]) => other === name).length > 1)
  const notes: Finding[] = repeated.map(([name]) => ({ id: 'field-repeated', detail: name }))
  if (authority === '') notes.push({ id: 'no-host', detail: '' })
  // Inner requests always have this scheme, whatever the last hop used.
  const message = { method: raw.method, scheme: 'https', authority, path, fields, content: raw.content }
  return { request: { message, lines }, notes }
}

/** Joins repeated fields (RFC 9421, section 2.1). */
function joined(lines: readonly Field[]): readonly Field[] {
  const values = new Map<string, string>()
  for (const [name, value] of lines) {
    const before = values.get(name)
    values.set(name, before === undefined ? value.trim() : `${before}, ${value.trim()}`)
  }
  return [...values]
}

function responseOf(status: number, lines: readonly Field[], content: Uint8Array): ResponseMessage {
  return { status, fields: joined(lines.map(([name, value]) => [name.toLowerCase(), value])), content }
}

// HTTP/1.1 as text (RFC 9112).

const requestLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) (\S{1,8192}) HTTP\/[0-9](?:\.[0-9])?$/
const statusLine = /^HTTP\/[0-9](?:\.[0-9])? ([1-5][0-9]{2})(?: .*)?$/
const maxHeadLines = 200

function isHttpText(bytes: Uint8Array): boolean {
  const first = latin1(bytes.subarray(0, 10_000)).split(/\r?\n/, 1)[0]?.trimEnd() ?? ''
  return requestLine.test(first) || statusLine.test(first)
}

function readHttpText(bytes: Uint8Array): Capture {
  const { first, lines, body } = readHead(bytes)
  const { content, notes: bodyNotes } = readBody(lines, body)
  const status = statusLine.exec(first)?.[1]
  if (status !== undefined) return { response: responseOf(Number(status), lines, content), notes: bodyNotes }
  const [, method = '', target = ''] = requestLine.exec(first) ?? []
  const { request, notes } = requestOf({ method, target, lines, content })
  return { request, notes: [...notes, ...bodyNotes] }
}

/** Keeps every byte. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

function readHead(bytes: Uint8Array): {
  readonly first: string
  readonly lines: readonly Field[]
  readonly body: Uint8Array
} {
  const lines: string[] = []
  let start = 0
  while (start < bytes.length) {
    const found = bytes.indexOf(0x0a, start)
    const end = found < 0 ? bytes.length : found
    const line = latin1(bytes.subarray(start, end)).replace(/\r$/, '')
    start = Math.min(end + 1, bytes.length)
    if (line === '') break
    lines.push(line)
    if (lines.length > maxHeadLines) throw new UnreadableCapture('the head of the message has no end')
  }
  const [first = '', ...rest] = lines
  return { first: first.trimEnd(), lines: unfolded(rest), body: bytes.subarray(start) }
}

/** A line that begins with white space continues the one before (obsolete line folding, RFC 9112, section 5.2). */
function unfolded(lines: readonly string[]): readonly Field[] {
  const fields: [string, string][] = []
  for (const line of lines) {
    const last = fields.at(-1)
    const colon = line.indexOf(':', 1)
    if (/^[ \t]/.test(line) && last !== undefined) last[1] += ` ${line.trim()}`
    else if (colon > 0) fields.push([line.slice(0, colon).trimEnd(), line.slice(colon + 1)])
    else
      throw new UnreadableCapture(`a line of the head is not a field: ${JSON.stringify(line.slice(0, 60))}`)
  }
  return fields
}

/** The content, by the length in the head: editors add line ends, and some dumps include the chunks. */
function readBody(
  lines: readonly Field[],
  body: Uint8Array,
): { readonly content: Uint8Array; readonly notes: readonly Finding[] } {
  const named = (name: string): string | undefined =>
    lines.find(([other]) => other.toLowerCase() === name)?.[1].trim()
  const chunked = named('transfer-encoding')?.toLowerCase() === 'chunked' ? dechunked(body) : undefined
  if (chunked !== undefined)
    return { content: chunked, notes: [{ id: 'chunked', detail: String(chunked.length) }] }
  const stated = named('content-length')
  if (stated === undefined || !/^[0-9]{1,9}$/.test(stated)) return { content: body.slice(), notes: [] }
  const length = Number(stated)
  const detail = `${body.length} / ${length}`
  if (body.length > length) return { content: body.slice(0, length), notes: [{ id: 'body-longer', detail }] }
  return { content: body.slice(), notes: body.length < length ? [{ id: 'body-shorter', detail }] : [] }
}

/** `undefined` when the body has no chunks: most programs save it without them. */
function dechunked(body: Uint8Array): Uint8Array | undefined {
  const chunks: Uint8Array[] = []
  let offset = 0
  while (offset < body.length) {
    const end = body.indexOf(0x0a, offset)
    const size = /^([0-9A-Fa-f]{1,7})(?:;.*)?\r?$/.exec(latin1(body.subarray(offset, end)))?.[1]
    if (end < 0 || size === undefined) return undefined
    const length = Number.parseInt(size, 16)
    if (length === 0) return new Uint8Array(Buffer.concat(chunks))
    if (end + 1 + length > body.length) return undefined
    chunks.push(body.subarray(end + 1, end + 1 + length))
    offset = end + 1 + length
    if (body[offset] === 0x0d) offset++
    if (body[offset] !== 0x0a) return undefined
    offset++
  }
  return undefined
}

// JSON: a request, an exchange, an entry of a HAR file, a problem document.

const pair = z.object({ name: z.string(), value: z.string() })

/** An object of names, a list of pairs, or HAR's list of objects. */
const headers = z.union([
  z.array(pair).transform((list) => list.map(({ name, value }): Field => [name, value])),
  z.array(z.tuple([z.string(), z.string()])),
  z
    .record(z.string(), z.union([z.string(), z.array(z.string()), z.number()]))
    .transform((record) => Object.entries(record).flatMap(linesOf)),
])

function linesOf([name, value]: [string, string | readonly string[] | number]): Field[] {
  return (Array.isArray(value) ? value : [String(value)]).map((one: string): Field => [name, one])
}

const time = z.union([z.number().int().positive(), z.string()])
const head = { method: z.string().min(1).max(32), url: z.string().min(1).max(16_384) }

/** Bodies are base64. */
const request = z.object({
  ...head,
  headers: headers.default([]),
  body: z.string().nullish(),
  at: time.optional(),
})

const response = z.object({
  status: z.number().int().min(100).max(599),
  headers: headers.default([]),
  body: z.string().nullish(),
})

const exchange = z.object({ request, response: z.unknown().optional(), at: time.optional() })

const harEntry = z.object({
  startedDateTime: z.string().optional(),
  request: z.object({
    ...head,
    headers,
    bodySize: z.number().optional(),
    postData: z.object({ text: z.string().default(''), encoding: z.string().optional() }).optional(),
  }),
  response: z
    .object({
      status: z.number().int(),
      headers,
      content: z.object({ text: z.string().optional(), encoding: z.string().optional() }).optional(),
    })
    .optional(),
})
type HarEntry = z.infer<typeof harEntry>

const har = z.object({ log: z.object({ entries: z.array(z.unknown()) }) })

const problem = z.looseObject({
  code: z.string().regex(/^[a-z_]{1,64}$/),
  step: z.string().max(64).optional(),
  detail: z.string().max(2000).optional(),
  time: z.number().int().positive().optional(),
  base_sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  base_lengths: z.string().max(2000).optional(),
})

function readJson(value: unknown): Capture {
  const entry = harEntry.safeParse(value)
  if (entry.success && isHar(entry.data)) return fromHar(entry.data, [])
  const file = har.safeParse(value)
  if (file.success) return fromHarFile(file.data.log.entries)
  const both = exchange.safeParse(value)
  if (both.success) return fromExchange(both.data)
  const single = request.safeParse(value)
  if (single.success) return fromRequest(single.data)
  const document = findProblem(value)
  if (document !== undefined) return { problem: document, notes: [] }
  const answer = response.safeParse(value)
  if (answer.success) return fromResponse(answer.data)
  throw new UnreadableCapture(`the JSON has none of the forms that can be read:\n  ${forms}`)
}

function findProblem(value: unknown): ServiceProblem | undefined {
  const parsed = problem.safeParse(value)
  if (!parsed.success) return undefined
  const { code, step, detail, time: at, base_sha256: baseSha256, base_lengths: baseLengths } = parsed.data
  return { code, step, detail, time: at, baseSha256, baseLengths }
}

/** With the problem document that the response contains, if any. */
function withProblem(capture: Capture): Capture {
  if (capture.response === undefined) return capture
  try {
    const found = findProblem(JSON.parse(Buffer.from(capture.response.content).toString('utf8')))
    return found === undefined ? capture : { ...capture, problem: found }
  } catch {
    return capture
  }
}

function fromRequest({ method, url, headers: lines, body, at }: z.infer<typeof request>): Capture {
  const { request: made, notes } = requestOf({ method, target: url, lines, content: base64(body) })
  const when = secondsOf(at)
  return { request: made, notes, ...(when === undefined ? {} : { at: when }) }
}

function fromResponse({ status, headers: lines, body }: z.infer<typeof response>): Capture {
  return withProblem({ response: responseOf(status, lines, base64(body)), notes: [] })
}

function fromExchange({ request: sent, response: answer, at }: z.infer<typeof exchange>): Capture {
  const capture = fromRequest({ ...sent, ...(at === undefined ? {} : { at }) })
  const document = findProblem(answer)
  if (document !== undefined) return { ...capture, problem: document }
  const parsed = response.safeParse(answer)
  return parsed.success ? { ...fromResponse(parsed.data), ...capture } : capture
}

/** An exchange has `request` and `response` as well, but none of these members. */
function isHar({ startedDateTime, request: sent, response: answer }: HarEntry): boolean {
  return startedDateTime !== undefined || sent.postData !== undefined || answer?.content !== undefined
}

/** The last signed entry of a HAR file; without one, the last entry. */
function fromHarFile(values: readonly unknown[]): Capture {
  const entries = values.flatMap((value) => {
    const parsed = harEntry.safeParse(value)
    return parsed.success ? [parsed.data] : []
  })
  const isSigned = ({ request: sent }: HarEntry): boolean =>
    sent.headers.some(([name]) => name.toLowerCase() === 'signature-input')
  const entry = entries.findLast(isSigned) ?? entries.at(-1)
  if (entry === undefined) throw new UnreadableCapture('the HAR file has no entry with a request')
  return fromHar(entry, [{ id: 'har-chosen', detail: `${entries.indexOf(entry) + 1} / ${values.length}` }])
}

function fromHar(entry: HarEntry, chosen: readonly Finding[]): Capture {
  const { method, url, headers: lines, postData, bodySize } = entry.request
  const content = bytesOf(postData?.text ?? '', postData?.encoding)
  const { request: made, notes } = requestOf({ method, target: url, lines, content })
  const isAbsent = postData === undefined && (bodySize ?? 0) > 0
  const absent: readonly Finding[] = isAbsent ? [{ id: 'body-absent', detail: String(bodySize) }] : []
  const at = secondsOf(entry.startedDateTime)
  const capture = {
    request: made,
    notes: [...chosen, ...notes, ...absent],
    ...(at === undefined ? {} : { at }),
  }
  const answer = entry.response
  if (answer === undefined || answer.status < 100) return capture
  const body = bytesOf(answer.content?.text ?? '', answer.content?.encoding)
  return withProblem({ ...capture, response: responseOf(answer.status, answer.headers, body) })
}

function bytesOf(text: string, encoding: string | undefined): Uint8Array {
  return new Uint8Array(Buffer.from(text, encoding === 'base64' ? 'base64' : 'utf8'))
}

/** @throws UnreadableCapture for text that is not base64: it would explain another body. */
function base64(text: string | null | undefined): Uint8Array {
  if (text === undefined || text === null) return new Uint8Array(0)
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw new UnreadableCapture('"body" must be base64')
  return new Uint8Array(Buffer.from(text, 'base64'))
}

// Public keys: a JWK, a JWK Set, PEM, or 32 bytes in base64url.

/** The message does not contain the text, which may be a private key. */
export class UnreadableKey extends Error {}

const jwk = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string(),
  kid: z.string().optional(),
  miniseal_use: z.enum(['token', 'message']).optional(),
  d: z.unknown().optional(),
})

const jwkSet = z.object({ keys: z.array(z.unknown()) })

/** @throws UnreadableKey, also for a private key: it must not be in a command line. */
export function readKeys(text: string, source: KnownKey['source']): readonly KnownKey[] {
  const trimmed = text.trim()
  if (/PRIVATE KEY/.test(trimmed)) throw new UnreadableKey('that is a private key: give the public one')
  if (trimmed.startsWith('-----BEGIN')) return [fromPem(trimmed, source)]
  if (trimmed.startsWith('{')) return fromJwk(trimmed, source)
  const raw = Buffer.from(trimmed, 'base64url')
  if (raw.length !== 32 || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(trimmed))
    throw new UnreadableKey('a key is a JWK, a JWK Set, PEM, or 32 bytes in base64url')
  return [knownKey(new Uint8Array(raw), undefined, source)]
}

function fromJwk(text: string, source: KnownKey['source']): readonly KnownKey[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new UnreadableKey('the key is not JSON')
  }
  const set = jwkSet.safeParse(value)
  const found = (set.success ? set.data.keys : [value]).flatMap((each) => {
    const parsed = jwk.safeParse(each)
    return parsed.success ? [parsed.data] : []
  })
  if (found.some(({ d }) => d !== undefined))
    throw new UnreadableKey('that is a private key: give the public one')
  const keys = found.flatMap(({ x, kid, miniseal_use: use }) => {
    const raw = Buffer.from(x, 'base64url')
    // A key in a set of the service counts only with its use.
    const hasUse = source !== 'jwks' || use !== undefined
    return raw.length === 32 && hasUse ? [knownKey(new Uint8Array(raw), kid, source, use)] : []
  })
  if (keys.length === 0)
    throw new UnreadableKey(`there is no Ed25519 key ${source === 'jwks' ? 'with miniseal_use ' : ''}in it`)
  return keys
}

function fromPem(text: string, source: KnownKey['source']): KnownKey {
  try {
    const { x } = createPublicKey(text).export({ format: 'jwk' })
    const raw = Buffer.from(x ?? '', 'base64url')
    if (raw.length === 32) return knownKey(new Uint8Array(raw), undefined, source)
  } catch {
    // Refused below.
  }
  throw new UnreadableKey('the PEM holds no Ed25519 public key')
}
