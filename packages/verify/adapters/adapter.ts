/** Shared by the adapters: reading a bounded raw body, and the problem document of a refusal. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import { ProtocolError } from 'miniseal-protocol/errors'
import type { VerifierOptions } from '../verify.ts'

export interface AdapterOptions extends VerifierOptions {
  /** Bytes of the largest body; 1,048,576 by default. A larger body gets 413. */
  readonly maxBody?: number
}

const defaultMaxBody = 1_048_576

class RefusedBody extends Error {
  readonly status: 400 | 413

  constructor(status: 400 | 413, message: string) {
    super(message)
    this.status = status
  }
}

/**
 * Reads a body as it arrived.
 *
 * @throws TypeError when it was read before, which is a fault of the program.
 */
export async function readBody(stream: Readable, maxBody: number = defaultMaxBody): Promise<Buffer> {
  if (stream.readableDidRead || stream.readableEnded) throw alreadyRead()
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    const bytes = Buffer.from(chunk)
    length += bytes.length
    if (length > maxBody) throw tooLarge(maxBody)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}

/** Checks the size of a raw body that the framework read. */
export function boundBody(body: Buffer, maxBody: number = defaultMaxBody): Buffer {
  if (body.length > maxBody) throw tooLarge(maxBody)
  return body
}

/** As {@link readBody}, for a Fetch request. */
export async function readFetchBody(
  request: Request,
  maxBody: number = defaultMaxBody,
): Promise<Uint8Array<ArrayBuffer>> {
  if (request.bodyUsed) throw alreadyRead()
  const reader = request.body?.getReader()
  if (reader === undefined) return new Uint8Array(0)
  const chunks: Uint8Array[] = []
  let length = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return new Uint8Array(Buffer.concat(chunks))
    length += value.length
    if (length > maxBody) {
      await reader.cancel()
      throw tooLarge(maxBody)
    }
    chunks.push(value)
  }
}

function alreadyRead(): TypeError {
  return new TypeError('the raw body has already been read: mount miniseal-verify before every body parser')
}

function tooLarge(maxBody: number): RefusedBody {
  return new RefusedBody(413, `the body is over ${maxBody} bytes`)
}

/** The value of a verified JSON body, else the bytes. A body with a content-encoding is not decoded. */
export function parseBody(body: Buffer, headers: IncomingHttpHeaders): unknown {
  const type = headers['content-type'] ?? ''
  const isJson = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)
  if (!isJson || headers['content-encoding'] !== undefined || body.length === 0) return body
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    throw new RefusedBody(400, 'the body is not JSON')
  }
}

/** A response in place of the handler's. */
export interface Refusal {
  readonly status: 400 | 401 | 413 | 503
  readonly headers: Readonly<Record<string, string>>
  /** RFC 9457. */
  readonly problem: Readonly<Record<string, string | number>>
}

/**
 * Runs the verification of a request.
 *
 * @returns the refusal; `undefined` when the request is verified
 * @throws what `verify` throws for a fault of the program
 */
export async function findRefusal(
  { origin }: AdapterOptions,
  verify: () => Promise<void>,
): Promise<Refusal | undefined> {
  try {
    await verify()
    return undefined
  } catch (error) {
    const refusal = refusalOf(error, origin)
    if (refusal === undefined) throw error
    return refusal
  }
}

function refusalOf(error: unknown, origin: string): Refusal | undefined {
  if (error instanceof RefusedBody) {
    const title = error.status === 413 ? 'Content too large' : 'Malformed content'
    // The rest of the body is not read.
    const headers: Record<string, string> = error.status === 413 ? { connection: 'close' } : {}
    return refusal(error.status, headers, { type: 'about:blank', title, detail: error.message })
  }
  if (!(error instanceof ProtocolError)) return undefined
  const isUnavailable = error.code === 'unavailable'
  return refusal(isUnavailable ? 503 : 401, isUnavailable ? { 'retry-after': '5' } : {}, {
    type: `${origin}/docs/problems/${error.code}`,
    title: isUnavailable ? 'Verification is unavailable' : 'The request is not verified',
    detail: error.message,
    code: error.code,
  })
}

function refusal(
  status: Refusal['status'],
  headers: Readonly<Record<string, string>>,
  problem: Readonly<Record<string, string>>,
): Refusal {
  return {
    status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...headers },
    problem: { ...problem, status },
  }
}
