/** The OpenTelemetry SDK: spans of one service, exported over OTLP. Loaded only when a collector is configured. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { httpInstrumentationMiddleware } from '@hono/otel'
import {
  type Attributes,
  type Context,
  createNoopMeter,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  NodeTracerProvider,
  type ReadableSpan,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-node'
import { ProtocolError } from 'miniseal-protocol/errors'
import type { Field } from 'miniseal-protocol/frames/binary-http'
import type { Logger } from 'pino'
import type { ExchangeRecord } from '../channel/context.ts'
import type { Store } from '../store/store.ts'
import type { WechatCall } from '../wechat/client.ts'
import { isKnownErrcode } from '../wechat/errors.ts'
import type { TraceSettings, Traces } from './tracing.ts'

/** Milliseconds for an export and for the final flush. */
const collectorTimeout = 3_000

const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** Registers nothing globally: the host program may have its own OpenTelemetry set-up. */
export function createTraces({ url, serviceName }: TraceSettings, log: Logger): Traces {
  const exporter = exportAllowed(new OTLPTraceExporter({ url, timeoutMillis: collectorTimeout }), log)
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': serviceName }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  })
  const spans = createSpans(provider.getTracer('miniseal'))
  return {
    middleware: httpInstrumentationMiddleware({
      tracer: spans.rootTracer,
      // Otherwise the middleware would use the global meter provider of the host program.
      meterProvider: { getMeter: createNoopMeter },
      captureActiveRequests: false,
    }),
    exchange: {
      run: (work) => spans.run('exchange', {}, work),
      begin: (stage) => spans.stage(stage),
    },
    onExchange: (record) => endExchange(spans, record),
    onWechatCall: (call) => spans.past(`wechat ${call.api}`, call.durationMs, wechatSpan(call)),
    store: (store) => traceCommits(spans, store),
    backend: {
      run: ({ method, route }, send) => {
        const attributes = { ...methodOf(method), 'miniseal.route': route || '/' }
        const options = { kind: SpanKind.CLIENT, attributes }
        return spans.run(`backend ${route || '/'}`, options, async (span) => {
          const answer = await send(traceFields(span))
          span.setAttribute('http.response.status_code', answer.status)
          if (answer.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
          return answer
        })
      },
    },
    stop: async () => {
      const deadline = new Promise((resolve) => setTimeout(resolve, collectorTimeout).unref())
      await Promise.race([provider.shutdown().catch(() => undefined), deadline])
    },
  }
}

/** Unknown methods are attacker-controlled and become `_OTHER`. */
function methodOf(method: string | undefined): Attributes {
  if (method === undefined) return {}
  return { 'http.request.method': methods.has(method) ? method : '_OTHER' }
}

function endExchange(spans: Spans, { kind, method, status, code, step }: ExchangeRecord): void {
  spans.stage(undefined)
  const span = spans.current()
  span?.setAttributes({
    ...methodOf(method),
    'http.response.status_code': status,
    'miniseal.kind': kind,
    ...(code === undefined ? {} : { 'miniseal.code': code }),
    ...(step === undefined ? {} : { 'miniseal.step': step }),
  })
  if (status >= 500) span?.setStatus({ code: SpanStatusCode.ERROR })
}

function wechatSpan({ api, outcome, errcode }: WechatCall) {
  const known = errcode !== undefined && isKnownErrcode(errcode) ? errcode : 'other'
  const attributes = {
    'miniseal.api': api,
    'miniseal.outcome': outcome,
    ...(errcode === undefined ? {} : { 'miniseal.errcode': known }),
  }
  return { kind: SpanKind.CLIENT, attributes }
}

function traceCommits(spans: Spans, store: Store): Store {
  return {
    ...store,
    commit: (writes) =>
      spans.run('commit', { kind: SpanKind.CLIENT }, async (span) => {
        const result = await store.commit(writes)
        span.setAttribute('miniseal.outcome', result.kind)
        return result
      }),
  }
}

/** W3C Trace Context, version 00, without `tracestate` and `baggage`. */
function traceFields(span: Span): readonly Field[] {
  const { traceId, spanId, traceFlags } = span.spanContext()
  return [['traceparent', `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`]]
}

/** The active span of an asynchronous context. */
interface Scope {
  readonly span: Span
  /** The current stage of the exchange. */
  stage?: Span | undefined
}

interface Spans {
  /** For the middleware: it starts root spans and ignores trace context in requests. */
  readonly rootTracer: Tracer
  /** Runs `work` in a child span of the current one. An error is recorded by its code. */
  run<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T>
  /** Records a span that ends now. */
  past(name: string, durationMs: number, options: SpanOptions): void
  /** Ends the current stage of the exchange and starts the next one. */
  stage(name: string | undefined): void
  /** The parent of the next span. */
  current(): Span | undefined
}

/** Uses a separate `AsyncLocalStorage`: the host program may register OpenTelemetry's context manager. */
function createSpans(tracer: Tracer): Spans {
  const scopes = new AsyncLocalStorage<Scope>()

  function current(): Span | undefined {
    const scope = scopes.getStore()
    return scope?.stage ?? scope?.span
  }

  function parent(): Context {
    const span = current()
    return span === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, span)
  }

  async function run<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> {
    const span = tracer.startSpan(name, options, parent())
    const scope: Scope = { span }
    try {
      return await scopes.run(scope, () => work(span))
    } catch (error) {
      fail(span, error)
      throw error
    } finally {
      scope.stage?.end()
      span.end()
    }
  }

  function past(name: string, durationMs: number, options: SpanOptions): void {
    const end = Date.now()
    tracer.startSpan(name, { ...options, startTime: end - durationMs }, parent()).end(end)
  }

  function stage(name: string | undefined): void {
    const scope = scopes.getStore()
    if (scope === undefined) return
    scope.stage?.end()
    const under = trace.setSpan(ROOT_CONTEXT, scope.span)
    scope.stage = name === undefined ? undefined : tracer.startSpan(name, {}, under)
  }

  const rootTracer = {
    startSpan: (name: string, options?: SpanOptions) => tracer.startSpan(name, options, ROOT_CONTEXT),
    /** The last argument is the callback. A context argument comes from fields of the request and is ignored. */
    startActiveSpan(name: string, ...rest: readonly unknown[]): unknown {
      const work = rest.at(-1)
      if (typeof work !== 'function') throw new TypeError('startActiveSpan requires a callback')
      const span = this.startSpan(name, rest.length > 1 ? (rest[0] as SpanOptions) : {})
      return scopes.run({ span }, () => work(span))
    },
  } as Tracer

  return { rootTracer, run, past, stage, current }
}

/** Records the code only: messages may quote attacker-controlled data. */
function fail(span: Span, error: unknown): void {
  span.setStatus({ code: SpanStatusCode.ERROR })
  span.setAttribute('miniseal.code', error instanceof ProtocolError ? error.code : 'failed')
}

/**
 * Exported attributes: the filter runs last, for spans of all code. Values come from closed sets or from the configuration: no
 * path, address, user, key or token.
 */
const allowedAttributes: ReadonlySet<string> = new Set([
  'http.request.method',
  'http.response.status_code',
  'http.route',
  'miniseal.kind',
  'miniseal.code',
  'miniseal.step',
  'miniseal.route',
  'miniseal.api',
  'miniseal.errcode',
  'miniseal.outcome',
])

/** Milliseconds between two log lines about a failing collector. */
const warningInterval = 60_000

/** Filters attributes, and drops span events, which contain error messages. */
function exportAllowed(exporter: SpanExporter, log: Logger): SpanExporter {
  let warnedAt = Number.NEGATIVE_INFINITY
  return {
    export(spans, done) {
      exporter.export(spans.map(filterSpan), (result) => {
        if (result.code !== 0 && performance.now() - warnedAt >= warningInterval) {
          warnedAt = performance.now()
          log.warn({ event: 'traces.dropped' })
        }
        done(result)
      })
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => await exporter.forceFlush?.(),
  }
}

/** Name, times and parent of a span are set by the service. */
function filterSpan(span: ReadableSpan): ReadableSpan {
  const attributes = Object.fromEntries(
    Object.entries(span.attributes).filter(([name]) => allowedAttributes.has(name)),
  )
  return Object.create(span, {
    attributes: { value: attributes },
    events: { value: [] },
    links: { value: [] },
    status: { value: { code: span.status.code } },
  })
}
