/**
 * Filters the fields of requests to a backend, and of its answers.
 *
 * Requests have an allow list: a device can give a field any name, no list of dangerous names is complete, and some
 * servers read `_` as `-`.
 */
import type { Field } from 'miniseal-protocol/frames/binary-http'
import { UnfitAnswer } from './upstream-pool.ts'

/** Content, content negotiation, conditions, and the signatures with the fields that they cover. */
const passedAlways: ReadonlySet<string> = new Set([
  ...['content-type', 'content-encoding', 'content-digest', 'content-language', 'content-disposition'],
  ...['accept', 'accept-charset', 'accept-encoding', 'accept-language'],
  ...['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range', 'range'],
  ...['prefer', 'idempotency-key', 'authorization', 'step-up', 'signature-input', 'signature'],
])

/** Without `_`, which CGI and WSGI treat as `-`. */
const nameForm = /^[a-z][a-z0-9-]{0,63}$/

/** Fields that servers and frameworks trust, and that a client must not set. */
const neverPassed: readonly RegExp[] = [
  // The connection and the length of the message.
  /^(?:connection|keep-alive|proxy(?:-.+)?|te|trailers?|transfer-encoding|upgrade|host|content-length|expect|via)$/,
  // The identity of the caller, as the service or a proxy states it.
  /^(?:(?:x-)?miniseal-.+|cookie2?|(?:x-)?remote-.+|x-auth.*|x-user.*|(?:x-)?ssl-.+|(?:x-)?client-.+)$/,
  // The identity of the caller, as clouds, gateways and sign-on proxies state it.
  /^(?:x-amzn?-.+|x-goog-.+|x-ms-.+|x-azure-.+|x-appengine-.+|cloudfront-.+|x-consumer-.+|x-credential-.+)$/,
  /^(?:x-webauth-.+|x-pomerium-.+|x-hasura-.+|(?:x-)?openid.*)$/,
  // The origin of a request, and its form before a proxy changed it.
  /^(?:forwarded|x-forwarded.*|x-real-.+|x-wx-.+|x-original-.+|x-rewrite-.+|x-envoy-.+|x-cluster-.+|x-host)$/,
  /^(?:cf-.+|true-client-.+|fastly-.+|x-proxyuser-.+|origin|referer|sec-.+)$/,
  // Traces.
  /^(?:traceparent|tracestate|baggage|b3|x-b3-.+|.+-trace.*|uber-.+|x-request-id|x-correlation-id)$/,
  // Overrides of the method, the path or a part of the content.
  /^(?:x-http-.+|x-method.*|x-middleware-.+|x-matched-path|x-invoke-.+|(?:x-)?script-name|x-accel-.+|x-sendfile-.+)$/,
  /^(?:content-location|content-range|content-transfer-encoding)$/,
]

/** Whether a route may list this field, so that it is passed on as the client sent it. */
export function isPassable(name: string): boolean {
  return nameForm.test(name) && !passedAlways.has(name) && !neverPassed.some((pattern) => pattern.test(name))
}

/** The rule of {@link isPassable}, for the operator. */
export const passableRule = 'a field name in lower case without "_" that is not always or never passed on'

/**
 * The fields of a device's request that a backend receives. They include every field that a signature covers.
 *
 * @param listed names that {@link isPassable} accepts
 */
export function passedFields(fields: readonly Field[], listed: readonly string[] = []): readonly Field[] {
  return fields.filter(([name]) => passedAlways.has(name) || listed.includes(name))
}

/**
 * Fields of the connection, fields that the channel sets, and cookies, which mini programs do not have. Signatures of the
 * backend are passed on; the channel adds its own.
 */
const droppedFromReplies = new Set([
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

/** Fields that only the service sets, in every spelling that an HTTP stack treats as the same name. */
const reserved = /^miniseal[-_]/

const printable = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/

/**
 * A message carries 64 fields and 16384 bytes of them. The service adds up to seven of its own, and one more to a replayed
 * answer.
 */
const maxReplyFields = 56
const maxReplyFieldBytes = 14_336

/**
 * The fields of an answer that Binary HTTP can carry, each once, with lower-case names.
 *
 * @throws UnfitAnswer when they exceed the limits.
 */
export function replyFields(fields: readonly Field[]): readonly Field[] {
  const passed = new Map<string, string>()
  for (const [name, value] of fields) {
    const lower = name.toLowerCase()
    const trimmed = value.trim()
    const isUnprintable = trimmed !== '' && !printable.test(trimmed)
    if (droppedFromReplies.has(lower) || reserved.test(lower) || isUnprintable) continue
    const earlier = passed.get(lower)
    passed.set(lower, earlier === undefined ? trimmed : `${earlier}, ${trimmed}`)
  }
  const bytes = [...passed].reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  if (passed.size > maxReplyFields || bytes > maxReplyFieldBytes)
    throw new UnfitAnswer('the answer has too many or too long fields')
  return [...passed]
}
