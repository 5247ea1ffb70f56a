/** Which fields of a backend's answer reach the client. */
import type { Field } from 'miniseal-protocol/frames/binary-http'
import { UnfitAnswer } from './upstream-faults.ts'

/**
 * Fields of the connection, and those that the channel itself sets. Cookies mean nothing to a mini program. Signatures
 * stay: the channel puts its own beside them.
 */
const dropped = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
  'date',
  'server',
  'set-cookie',
  'content-length',
  'content-digest',
  'ratelimit',
  'ratelimit-policy',
  'idempotency-replayed',
])

/** Fields with a meaning that only the service gives them, in every spelling that some HTTP stack takes for the same name. */
const reserved = /^miniseal[-_]/

const printable = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/

/**
 * What is kept of an answer at most: 64 fields and 16384 bytes fit into a message, and the service adds up to seven of its
 * own, to a repetition one more than to the first answer.
 */
const maxFields = 56
const maxBytes = 14_336

/**
 * Keeps what Binary HTTP can carry, once each, with lower-case names.
 *
 * @throws UnfitAnswer when they are too many or too long to be sent now and again.
 */
export function replyFields(fields: readonly Field[]): readonly Field[] {
  const kept = new Map<string, string>()
  for (const [name, value] of fields) {
    const lower = name.toLowerCase()
    const trimmed = value.trim()
    if (dropped.has(lower) || reserved.test(lower) || (trimmed !== '' && !printable.test(trimmed))) continue
    const earlier = kept.get(lower)
    kept.set(lower, earlier === undefined ? trimmed : `${earlier}, ${trimmed}`)
  }
  const bytes = [...kept].reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  if (kept.size > maxFields || bytes > maxBytes)
    throw new UnfitAnswer('the fields of the answer are too many, or too long')
  return [...kept]
}
