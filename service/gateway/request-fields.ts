/**
 * Which fields of a device's request reach a backend: those of a list, and no others. Who writes requests can give a field
 * any name; a list of what is dangerous never ends, and some servers read `_` as `-`.
 */
import type { Field } from 'miniseal-protocol/frames/binary-http'

/** About the content, the answer that is wanted, conditions, and what the signatures cover or are. */
const passedAlways: ReadonlySet<string> = new Set([
  ...['content-type', 'content-encoding', 'content-digest', 'content-language', 'content-disposition'],
  ...['accept', 'accept-charset', 'accept-encoding', 'accept-language'],
  ...['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range', 'range'],
  ...['prefer', 'idempotency-key', 'authorization', 'step-up', 'signature-input', 'signature'],
])

/** Without `_`, which CGI and WSGI take for `-`. */
const nameForm = /^[a-z][a-z0-9-]{0,63}$/

/** Fields by which servers and frameworks learn something that the client must not decide. */
const neverPassed: readonly RegExp[] = [
  // The connection and the length of the message.
  /^(?:connection|keep-alive|proxy(?:-.+)?|te|trailers?|transfer-encoding|upgrade|host|content-length|expect|via)$/,
  // Who asks, in the service's words or those of a proxy.
  /^(?:(?:x-)?miniseal-.+|cookie2?|(?:x-)?remote-.+|x-auth.*|x-user.*|(?:x-)?ssl-.+|(?:x-)?client-.+)$/,
  // Who asks, in the words of clouds, gateways and sign-on proxies.
  /^(?:x-amzn?-.+|x-goog-.+|x-ms-.+|x-azure-.+|x-appengine-.+|cloudfront-.+|x-consumer-.+|x-credential-.+)$/,
  /^(?:x-webauth-.+|x-pomerium-.+|x-hasura-.+|(?:x-)?openid.*)$/,
  // Where a request comes from, and what it was before a proxy changed it.
  /^(?:forwarded|x-forwarded.*|x-real-.+|x-wx-.+|x-original-.+|x-rewrite-.+|x-envoy-.+|x-cluster-.+|x-host)$/,
  /^(?:cf-.+|true-client-.+|fastly-.+|x-proxyuser-.+|origin|referer|sec-.+)$/,
  // Traces.
  /^(?:traceparent|tracestate|baggage|b3|x-b3-.+|.+-trace.*|uber-.+|x-request-id|x-correlation-id)$/,
  // Another method, another place, a part of the content.
  /^(?:x-http-.+|x-method.*|x-middleware-.+|x-matched-path|x-invoke-.+|(?:x-)?script-name|x-accel-.+|x-sendfile-.+)$/,
  /^(?:content-location|content-range|content-transfer-encoding)$/,
]

/** Whether a route may list this field, so that it is passed on as the client says it. */
export function isPassable(name: string): boolean {
  return nameForm.test(name) && !passedAlways.has(name) && !neverPassed.some((pattern) => pattern.test(name))
}

/** For the operator: what {@link isPassable} asks for. */
export const passableRule =
  'a field name in lower case without "_", and none of those that are always or never passed on'

/**
 * The fields of a device's request that a backend gets. All that a signature covers are among them.
 *
 * @param listed names that {@link isPassable} accepts
 */
export function passedFields(fields: readonly Field[], listed: readonly string[] = []): readonly Field[] {
  return fields.filter(([name]) => passedAlways.has(name) || listed.includes(name))
}
