/** The content of a request as its sender meant it: without the coding it travelled in (protocol, section 5). */
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { bulkhead } from 'cockatiel'
import { ProtocolError } from 'miniseal-protocol/errors'
import type { RequestMessage } from 'miniseal-protocol/frames/binary-http'
import { findField } from 'miniseal-protocol/frames/binary-http'
import { isOwnRoute, MAX_OWN_CONTENT } from 'miniseal-protocol/http-signatures/own-routes'
import { ProblemError } from '../problems/problem-error.ts'

/** Bytes that a compressed content may grow to: eight times the largest frame. */
const maxDecoded = 8_388_608

/** How many times its size a content may grow to; JSON and text grow less. Small ones may always grow to `freeBytes`. */
const maxRatio = 50
const freeBytes = 65_536

/** Contents that are unpacked at one time, in threads of zlib: half of the threads there are. */
const atOnce = bulkhead(2, Number.POSITIVE_INFINITY)

/** Bytes of all unpacked contents together, of this process, until the requests that hold them are answered. */
const maxHeld = 67_108_864
let held = 0

const unzip = promisify(gunzip)

/**
 * Refuses what no own route takes: a content coding, and content over 16 KiB. Checked before the signature is, so that
 * a stranger cannot have anything unpacked or parsed that is large.
 *
 * @throws ProtocolError `payload_invalid`
 */
export function assertPlainContent({ path, fields, content }: RequestMessage): void {
  if (!isOwnRoute(path)) return
  if (findField(fields, 'content-encoding') !== undefined)
    throw new ProtocolError('payload_invalid', 'a route of the service takes no content coding')
  if (content.length > MAX_OWN_CONTENT)
    throw new ProtocolError(
      'payload_invalid',
      `a route of the service takes ${MAX_OWN_CONTENT} bytes at most`,
    )
}

/**
 * Runs `use` with the content after undoing `content-encoding: gzip`. Attacker-controlled: it is unpacked off the event
 * loop, two at a time, and bounded in size, in ratio and together with all others that are held.
 *
 * @throws ProtocolError `payload_invalid` for another coding, for what is not gzip, and over the bounds of one content;
 *   ProblemError `rate_limited` (503) when all contents together hold as much as they may.
 */
export async function withDecodedContent<T>(
  message: RequestMessage,
  use: (content: Uint8Array) => T | Promise<T>,
): Promise<T> {
  const coding = findField(message.fields, 'content-encoding')
  if (coding === undefined) return await use(message.content)
  if (coding !== 'gzip') throw new ProtocolError('payload_invalid', 'the only content coding is gzip')
  const most = Math.min(maxDecoded, Math.max(freeBytes, message.content.length * maxRatio))
  let reserved = reserve(most)
  try {
    const content = await unpack(message.content, most)
    held -= reserved - content.length
    reserved = content.length
    return await use(content)
  } finally {
    held -= reserved
  }
}

function reserve(bytes: number): number {
  if (held + bytes > maxHeld) {
    const details = { status: 503, retryAfter: 1 } as const
    throw new ProblemError('rate_limited', 'the service unpacks as much as it can', details)
  }
  held += bytes
  return bytes
}

async function unpack(content: Uint8Array, maxOutputLength: number): Promise<Uint8Array> {
  try {
    const { buffer, byteOffset, length } = await atOnce.execute(() => unzip(content, { maxOutputLength }))
    return new Uint8Array(buffer, byteOffset, length)
  } catch {
    throw new ProtocolError('payload_invalid', 'the content is not gzip, or too large when unpacked')
  }
}
