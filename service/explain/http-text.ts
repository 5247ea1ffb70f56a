/** HTTP/1.1 messages as text (RFC 9112): saved from a debugger, a proxy's dump, `curl --trace`, an editor. */
import type { Field } from 'miniseal-protocol/frames/binary-http'
import type { Capture, Note } from './capture.ts'
import { joined, requestOf, UnreadableCapture } from './capture.ts'

const requestLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) (\S{1,8192}) HTTP\/[0-9](?:\.[0-9])?$/
const statusLine = /^HTTP\/[0-9](?:\.[0-9])? ([1-5][0-9]{2})(?: .*)?$/

/** Lines of a head; more is no head. */
const maxLines = 200

interface Head {
  readonly first: string
  readonly lines: readonly Field[]
  readonly body: Uint8Array
}

/** Whether these bytes begin like an HTTP message. */
export function isHttpText(bytes: Uint8Array): boolean {
  const first = firstLine(bytes)
  return requestLine.test(first) || statusLine.test(first)
}

/** @throws UnreadableCapture */
export function readHttpText(bytes: Uint8Array): Capture {
  const { first, lines, body } = readHead(bytes)
  const framed = frame(lines, body)
  const status = statusLine.exec(first)?.[1]
  if (status !== undefined) {
    const fields = joined(lines.map(([name, value]): Field => [name.toLowerCase(), value]))
    return { response: { status: Number(status), fields, content: framed.content }, notes: framed.notes }
  }
  const [, method = '', target = ''] = requestLine.exec(first) ?? []
  const { request, notes } = requestOf({ method, target, lines, content: framed.content })
  return { request, notes: [...notes, ...framed.notes] }
}

function firstLine(bytes: Uint8Array): string {
  return latin1(bytes.subarray(0, 10_000)).split(/\r?\n/, 1)[0]?.trimEnd() ?? ''
}

/** One character for each byte, so that nothing is lost or repaired. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

function readHead(bytes: Uint8Array): Head {
  const lines: string[] = []
  let start = 0
  for (;;) {
    const end = bytes.indexOf(0x0a, start)
    const line = latin1(bytes.subarray(start, end < 0 ? bytes.length : end)).replace(/\r$/, '')
    start = end < 0 ? bytes.length : end + 1
    if (line === '') break
    lines.push(line)
    if (lines.length > maxLines) throw new UnreadableCapture('the head of the message does not end')
    if (end < 0) break
  }
  const [first = '', ...rest] = lines
  return { first: first.trimEnd(), lines: unfolded(rest), body: bytes.subarray(start) }
}

/** Lines that begin with white space belong to the one before (obsolete line folding, RFC 9112, section 5.2). */
function unfolded(lines: readonly string[]): readonly Field[] {
  const fields: [string, string][] = []
  for (const line of lines) {
    const last = fields.at(-1)
    const colon = line.indexOf(':', 1)
    if (/^[ \t]/.test(line) && last !== undefined) last[1] += ` ${line.trim()}`
    else if (colon > 0) fields.push([line.slice(0, colon).trimEnd(), line.slice(colon + 1)])
    else throw new UnreadableCapture(`a line of the head is no field: ${JSON.stringify(line.slice(0, 60))}`)
  }
  return fields
}

/** The content, by the length that the head states: editors add line ends, and some dumps keep the chunks. */
function frame(
  lines: readonly Field[],
  body: Uint8Array,
): { readonly content: Uint8Array; readonly notes: readonly Note[] } {
  const named = (name: string): string | undefined =>
    lines.find(([other]) => other.toLowerCase() === name)?.[1].trim()
  if (named('transfer-encoding')?.toLowerCase() === 'chunked') {
    const content = dechunked(body)
    if (content !== undefined) return { content, notes: [{ id: 'chunked', detail: String(content.length) }] }
  }
  const stated = named('content-length')
  if (stated === undefined || !/^[0-9]{1,9}$/.test(stated)) return { content: body.slice(), notes: [] }
  const length = Number(stated)
  const detail = `${body.length} / ${length}`
  if (body.length > length) return { content: body.slice(0, length), notes: [{ id: 'body-longer', detail }] }
  return { content: body.slice(), notes: body.length < length ? [{ id: 'body-shorter', detail }] : [] }
}

/** The content of a chunked body, or `undefined` when it is none any more: most programs save it without the chunks. */
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
