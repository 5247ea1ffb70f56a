/** `GET /metrics`: the metrics of one service in the Prometheus text format, and access to them. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Context } from 'hono'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { uncodedProblem } from '../problems/document.ts'
import * as collect from './collectors.ts'

/** Observers for the parts of the service. None of them throws. */
export type Metrics = ReturnType<typeof createMetrics>

/** A document in the Prometheus text format and its content type. */
export interface MetricsText {
  readonly type: string
  readonly text: string
}

/** @param countSessions active sessions; called on a scrape, at most every 15 s */
export function createMetrics(countSessions: () => Promise<number>) {
  const registry = new Registry()
  const metrics = collect.createMetricFactory(registry)
  collect.collectSessions(metrics, countSessions)
  collect.collectDroppedLines(registry)
  let isFirstScrape = true
  return {
    onExchange: collect.collectExchanges(metrics),
    onWechatCall: collect.collectWechatCalls(metrics),
    onCommit: collect.collectCommits(metrics),
    onDatabaseFailed: collect.collectDatabaseFailure(metrics),
    onUpstreamFault: collect.collectUpstreamFaults(metrics),
    onConnectionClosed: collect.collectClosedConnections(metrics),
    onSocket: collect.collectSockets(metrics),
    clock: collect.collectClock(metrics),
    /** Wraps a store to count its committed events. */
    countPushes: collect.collectPushes(metrics),
    /** For parts that are created after the metrics: each `watch…` is called once. */
    watchTlog: collect.collectTlog.bind(undefined, metrics),
    watchDisk: collect.collectDisk.bind(undefined, metrics),
    watchUsage: collect.collectUsage.bind(undefined, metrics),
    watchRoutes: collect.collectRoutes.bind(undefined, metrics),
    async read(): Promise<MetricsText> {
      // Process metrics observe timers and garbage collection: only from the first scrape on.
      if (isFirstScrape) collectDefaultMetrics({ register: registry })
      isFirstScrape = false
      return { type: registry.contentType, text: await registry.metrics() }
    },
  }
}

/** Calls several observers with each value, in order. */
export function fanOut<T>(...observers: readonly ((value: T) => void)[]): (value: T) => void {
  return (value) => {
    for (const observe of observers) observe(value)
  }
}

/** The clients that may read the metrics: those with the token, all, or none. */
export type MetricsAccess =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'open' }
  | { readonly kind: 'off' }

/**
 * Parses `MINISEAL_METRICS_TOKEN`. Without a token the metrics are open in development, which listens on loopback
 * only, and off in production, where requests through a reverse proxy come from loopback too.
 *
 * @param token 16 to 256 characters of a bearer token (RFC 6750)
 * @throws Error for the operator.
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
      return uncodedProblem(c, 401, 'Metrics token required', { 'www-authenticate': 'Bearer' })
    }
    const { type, text } = await read()
    return c.body(text, 200, { 'content-type': type, 'cache-control': 'no-store' })
  }
}

/** Compares digests, so timing reveals neither the length of the token nor a common prefix. */
function isBearer(field: string | undefined, token: string): boolean {
  const given = /^Bearer +(\S+)$/i.exec(field ?? '')?.[1]
  return given !== undefined && timingSafeEqual(digest(given), digest(token))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest()
}
