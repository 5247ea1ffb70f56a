/** From any bytes to a capture. */
import type { Capture } from './capture.ts'
import { UnreadableCapture } from './capture.ts'
import { isHttpText, readHttpText } from './http-text.ts'
import { forms, readJsonCapture, secondsOf, withProblem } from './json-capture.ts'

/** Bytes of a capture; a HAR file of a long session is cut down first. */
export const maxCapture = 33_554_432

/**
 * Reads untrusted bytes.
 *
 * @throws UnreadableCapture for everything that has none of the forms, with words that say which there are.
 */
export function readCapture(bytes: Uint8Array): Capture {
  if (bytes.length === 0)
    throw new UnreadableCapture(`there is nothing in it. What can be explained:\n  ${forms}`)
  if (bytes.length > maxCapture)
    throw new UnreadableCapture('it is larger than 32 MiB: keep one request of it')
  const start = bytes.findIndex((byte) => byte !== 0x0d && byte !== 0x0a && byte !== 0x20 && byte !== 0x09)
  const rest = bytes.subarray(Math.max(0, start))
  if (isHttpText(rest)) return dated(withProblem(readHttpText(rest)))
  const text = Buffer.from(rest)
    .toString('utf8')
    .replace(/^\ufeff/, '')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new UnreadableCapture(`it is neither HTTP text nor JSON. What can be explained:\n  ${forms}`)
  }
  return dated(readJsonCapture(value))
}

/** The moment of a capture that does not say it itself: by its answer's clock, where there is one. */
function dated(capture: Capture): Capture {
  if (capture.at !== undefined) return capture
  const date = capture.response?.fields.find(([name]) => name === 'date')?.[1]
  const at = capture.problem?.time ?? secondsOf(date)
  return at === undefined ? capture : { ...capture, at }
}
