/** Traces of one service over OTLP. Loaded only when a collector is configured. */
import { httpInstrumentationMiddleware } from '@hono/otel'
import type { Attributes, Span } from '@opentelemetry/api'
import { createNoopMeter, SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import type { Field } from 'miniseal-protocol/frames/binary-http'
import type { Logger } from 'pino'
import type { ExchangeRecord } from '../../channel/context.ts'
import type { Store } from '../../store/store.ts'
import type { WechatCall } from '../../wechat/client.ts'
import { isKnownErrcode } from '../../wechat/errors.ts'
import { exportAllowed } from './allowed-spans.ts'
import type { TraceSettings } from './settings.ts'
import type { Spans } from './spans.ts'
import { createSpans } from './spans.ts'
import type { Traces } from './traces.ts'

/** How long a collector is waited for, also by a stop, in milliseconds. */
const collectorPatience = 3_000

const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** A provider of the service's own: nothing is registered, so that the program around it keeps its own. */
export function createTraces({ url, serviceName }: TraceSettings, log: Logger): Traces {
  const exporter = exportAllowed(new OTLPTraceExporter({ url, timeoutMillis: collectorPatience }), log)
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': serviceName }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  })
  const spans = createSpans(provider.getTracer('miniseal'))
  return {
    middleware: httpInstrumentationMiddleware({
      tracer: spans.rootTracer,
      // Without these it counts into the meters of the program around it.
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
      const patience = new Promise((resolve) => setTimeout(resolve, collectorPatience).unref())
      await Promise.race([provider.shutdown().catch(() => undefined), patience])
    },
  }
}

/** A method that nobody has heard of comes from outside. */
function methodOf(method: string | undefined): Attributes {
  if (method === undefined) return {}
  return { 'http.request.method': methods.has(method) ? method : '_OTHER' }
}

function endExchange(spans: Spans, { kind, method, status, code, step }: ExchangeRecord): void {
  spans.stage(undefined)
  const span = spans.present()
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

/** W3C Trace Context, version 00. There is no `tracestate` and no `baggage`: nothing else is passed on. */
function traceFields(span: Span): readonly Field[] {
  const { traceId, spanId, traceFlags } = span.spanContext()
  return [['traceparent', `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`]]
}
