/** What may leave the service in a span: one allow-list, applied last, whoever has written into the span. */
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-node'
import type { Logger } from 'pino'

/** Each from a closed set of values, or from the configuration: no path, address, name of a person, key or token. */
const allowed: ReadonlySet<string> = new Set([
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

/** How often a failure of the collector is logged, in milliseconds. */
const complaintPeriod = 60_000

/** An exporter that passes allowed attributes on, and no events, whose texts are those of errors. */
export function exportAllowed(exporter: SpanExporter, log: Logger): SpanExporter {
  let complainedAt = Number.NEGATIVE_INFINITY
  return {
    export(spans, done) {
      exporter.export(spans.map(allowedPart), (result) => {
        if (result.code !== 0 && performance.now() - complainedAt >= complaintPeriod) {
          complainedAt = performance.now()
          log.warn({ event: 'traces-lost' })
        }
        done(result)
      })
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => await exporter.forceFlush?.(),
  }
}

/** The rest of a span is made by the service: its name, times, and place in the trace. */
function allowedPart(span: ReadableSpan): ReadableSpan {
  const attributes = Object.fromEntries(Object.entries(span.attributes).filter(([name]) => allowed.has(name)))
  return Object.create(span, {
    attributes: { value: attributes },
    events: { value: [] },
    links: { value: [] },
    status: { value: { code: span.status.code } },
  })
}
