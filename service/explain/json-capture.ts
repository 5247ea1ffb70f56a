/** Captures in JSON: a request, an exchange, an entry of a HAR file, or a problem document. */

import type { Field, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { z } from 'zod'
import type { Capture, Note, Problem } from './capture.ts'
import { joined, requestOf, UnreadableCapture } from './capture.ts'

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

const request = z.object({
  method: z.string().min(1).max(32),
  url: z.string().min(1).max(16_384),
  headers: headers.default([]),
  /** Base64. */
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
    method: z.string().min(1).max(32),
    url: z.string().min(1).max(16_384),
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

/** The forms, as an error names them. */
export const forms = `an HTTP/1.1 request or answer as text,
  {"method", "url", "headers", "body": base64}, {"status", "headers", "body": base64},
  {"request": …, "response": …}, a HAR file or one of its entries, or a problem document`

/** @throws UnreadableCapture when the value has none of the forms. */
export function readJsonCapture(value: unknown): Capture {
  const entry = harEntry.safeParse(value)
  if (entry.success && isHar(entry.data)) return fromHar(entry.data, [])
  const file = har.safeParse(value)
  if (file.success) return fromHarFile(file.data.log.entries)
  const both = exchange.safeParse(value)
  if (both.success) return fromExchange(both.data)
  const asked = request.safeParse(value)
  if (asked.success) return fromRequest(asked.data)
  const told = findProblem(value)
  if (told !== undefined) return { problem: told, notes: [] }
  const answered = response.safeParse(value)
  if (answered.success) return fromResponse(answered.data)
  throw new UnreadableCapture(`the JSON is none of the forms that can be explained:\n  ${forms}`)
}

/** A problem document of the service among any JSON; `undefined` for anything else. */
function findProblem(value: unknown): Problem | undefined {
  const parsed = problem.safeParse(value)
  if (!parsed.success) return undefined
  const { code, step, detail, time: at, base_sha256: baseSha256, base_lengths: baseLengths } = parsed.data
  return { code, step, detail, time: at, baseSha256, baseLengths }
}

function fromRequest({ method, url, headers: lines, body, at }: z.infer<typeof request>): Capture {
  const { request: made, notes } = requestOf({ method, target: url, lines, content: base64(body) })
  const when = secondsOf(at)
  return { request: made, notes, ...(when === undefined ? {} : { at: when }) }
}

function fromResponse(answered: z.infer<typeof response>): Capture {
  const content = base64(answered.body)
  const fields = joined(answered.headers.map(([name, value]): Field => [name.toLowerCase(), value]))
  return withProblem({ response: { status: answered.status, fields, content }, notes: [] })
}

function fromExchange({ request: asked, response: answered, at }: z.infer<typeof exchange>): Capture {
  const capture = fromRequest({ ...asked, ...(at === undefined ? {} : { at }) })
  const told = findProblem(answered)
  if (told !== undefined) return { ...capture, problem: told }
  const parsed = response.safeParse(answered)
  if (!parsed.success) return capture
  return { ...fromResponse(parsed.data), ...capture }
}

/** An exchange of our own form has `request` and `response` too, and neither of these members. */
function isHar({ startedDateTime, request: asked, response: answered }: z.infer<typeof harEntry>): boolean {
  return startedDateTime !== undefined || asked.postData !== undefined || answered?.content !== undefined
}

/** A HAR file has many entries: the last one that is signed is the one. */
function fromHarFile(entries: readonly unknown[]): Capture {
  const read = entries.flatMap((value) => {
    const parsed = harEntry.safeParse(value)
    return parsed.success ? [parsed.data] : []
  })
  const isSigned = ({ request: { headers: lines } }: z.infer<typeof harEntry>): boolean =>
    lines.some(([name]) => name.toLowerCase() === 'signature-input')
  const chosen = read.findLast(isSigned) ?? read.at(-1)
  if (chosen === undefined) throw new UnreadableCapture('the HAR file has no entry with a request')
  return fromHar(chosen, [{ id: 'har-chosen', detail: `${read.indexOf(chosen) + 1} / ${entries.length}` }])
}

function fromHar(entry: z.infer<typeof harEntry>, chosen: readonly Note[]): Capture {
  const { method, url, headers: lines, postData, bodySize } = entry.request
  const content = postData === undefined ? new Uint8Array(0) : bytesOf(postData.text, postData.encoding)
  const { request: made, notes } = requestOf({ method, target: url, lines, content })
  const isCut = postData === undefined && (bodySize ?? 0) > 0
  const absent: readonly Note[] = isCut ? [{ id: 'body-absent', detail: String(bodySize) }] : []
  const at = secondsOf(entry.startedDateTime)
  const capture = {
    request: made,
    notes: [...chosen, ...notes, ...absent],
    ...(at === undefined ? {} : { at }),
  }
  const answered = entry.response
  if (answered === undefined || answered.status < 100) return capture
  const fields = joined(answered.headers.map(([name, value]): Field => [name.toLowerCase(), value]))
  const answer = bytesOf(answered.content?.text ?? '', answered.content?.encoding)
  return withProblem({ ...capture, response: { status: answered.status, fields, content: answer } })
}

/** With the problem document that the answer holds, where it holds one. */
export function withProblem(capture: Capture): Capture {
  const told = capture.response === undefined ? undefined : problemIn(capture.response)
  return told === undefined ? capture : { ...capture, problem: told }
}

function problemIn({ content }: ResponseMessage): Problem | undefined {
  try {
    return findProblem(JSON.parse(Buffer.from(content).toString('utf8')))
  } catch {
    return undefined
  }
}

function bytesOf(text: string, encoding: string | undefined): Uint8Array {
  return new Uint8Array(Buffer.from(text, encoding === 'base64' ? 'base64' : 'utf8'))
}

/** @throws UnreadableCapture for what is not base64: text taken for it would explain another body. */
function base64(text: string | null | undefined): Uint8Array {
  if (text === undefined || text === null) return new Uint8Array(0)
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw new UnreadableCapture('"body" must be base64')
  return new Uint8Array(Buffer.from(text, 'base64'))
}

/** UNIX seconds of a number or a date. */
export function secondsOf(value: string | number | undefined): number | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'number' || /^[0-9]{1,12}$/.test(value)) return Number(value)
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.floor(at / 1000)
}
