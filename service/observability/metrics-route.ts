/** `GET /metrics`, and who may read it. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Context } from 'hono'

/** Who may read the metrics: whoever holds the token, whoever can connect, or nobody. */
export type MetricsAccess =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'open' }
  | { readonly kind: 'off' }

/** A text in Prometheus' format and its content type. */
export interface MetricsText {
  readonly type: string
  readonly text: string
}

/**
 * Decides who may read the metrics. Without a token they are there in development, which listens on loopback, and nowhere else: in
 * production a proxy stands in front, and what it lets through comes from loopback too.
 *
 * @param token `MINISEAL_METRICS_TOKEN`, 16 to 256 characters of a bearer token (RFC 6750)
 * @throws Error with a message for the operator.
 */
export function parseMetricsAccess(
  token: string | undefined,
  mode: 'development' | 'production',
): MetricsAccess {
  if (token === undefined) return { kind: mode === 'development' ? 'open' : 'off' }
  if (!/^[A-Za-z0-9._~+/-]{16,256}=*$/.test(token)) {
    throw new Error(
      'MINISEAL_METRICS_TOKEN must be 16 to 256 letters, digits or ._~+/-; make one with: openssl rand -hex 32',
    )
  }
  return { kind: 'token', token }
}

/** Handles `GET /metrics`. The header is attacker-controlled. */
export function metricsHandler(
  access: MetricsAccess,
  read: () => Promise<MetricsText>,
): (c: Context) => Promise<Response> {
  return async function metrics(c) {
    if (access.kind === 'off') return await c.notFound()
    if (access.kind === 'token' && !isBearer(c.req.header('authorization'), access.token)) {
      const headers = { 'content-type': 'application/problem+json', 'www-authenticate': 'Bearer' }
      return c.body(JSON.stringify({ title: 'The metrics need their token', status: 401 }), 401, headers)
    }
    const { type, text } = await read()
    return c.body(text, 200, { 'content-type': type, 'cache-control': 'no-store' })
  }
}

/** Compares digests, so that neither the place of a difference nor the length shows in the time. */
function isBearer(field: string | undefined, token: string): boolean {
  const given = /^Bearer +(\S+)$/i.exec(field ?? '')?.[1]
  return given !== undefined && timingSafeEqual(digest(given), digest(token))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest()
}
