/** What the service traces, and the settings. `opentelemetry.ts` implements it; without a collector it is a no-op. */
import type { MiddlewareHandler } from 'hono'
import { type ExchangeRecord, type ExchangeTrace, untracedExchange } from '../channel/context.ts'
import { type BackendTrace, untracedBackend } from '../gateway/backend.ts'
import type { Store } from '../store/store.ts'
import type { WechatCall } from '../wechat/client.ts'

export interface TraceSettings {
  /** The collector's endpoint: OTLP over HTTP, JSON encoding. */
  readonly url: string
  readonly serviceName: string
}

/** Observers for the parts of the service. None of them throws. */
export interface Traces {
  /** For outer requests; `undefined` without tracing. */
  readonly middleware: MiddlewareHandler | undefined
  readonly exchange: ExchangeTrace
  readonly onExchange: (record: ExchangeRecord) => void
  readonly onWechatCall: (call: WechatCall) => void
  /** Wraps a store to trace its commits. */
  store(store: Store): Store
  readonly backend: BackendTrace
  /** Flushes pending spans for at most a few seconds. */
  stop(): Promise<void>
}

export const noTraces: Traces = {
  middleware: undefined,
  exchange: untracedExchange,
  onExchange: () => {},
  onWechatCall: () => {},
  store: (store) => store,
  backend: untracedBackend,
  stop: async () => {},
}

/**
 * Parses the variables of the OpenTelemetry specification: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` (used as is) or
 * `OTEL_EXPORTER_OTLP_ENDPOINT` (plus `/v1/traces`); `OTEL_SDK_DISABLED=true` and `OTEL_TRACES_EXPORTER=none` disable
 * tracing.
 *
 * @returns `undefined` when tracing is disabled
 * @throws Error for the operator: an invalid URL, an unsupported protocol or exporter.
 */
export function parseTraces(
  environment: Readonly<Record<string, string | undefined>>,
): TraceSettings | undefined {
  const { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: traces, OTEL_EXPORTER_OTLP_ENDPOINT: base } = environment
  const url = traces ?? (base === undefined ? undefined : `${base.replace(/\/+$/, '')}/v1/traces`)
  const exporter = environment.OTEL_TRACES_EXPORTER ?? 'otlp'
  if (url === undefined || environment.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return undefined
  if (exporter === 'none') return undefined
  if (exporter !== 'otlp') throw new Error('OTEL_TRACES_EXPORTER must be otlp or none')
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new Error('OTEL_EXPORTER_OTLP_ENDPOINT (or …_TRACES_ENDPOINT) must be http(s)://host[:port][/path]')
  }
  const protocol =
    environment.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? environment.OTEL_EXPORTER_OTLP_PROTOCOL ?? 'http/json'
  if (protocol !== 'http/json') {
    throw new Error('OTEL_EXPORTER_OTLP_PROTOCOL (or …_TRACES_PROTOCOL) must be http/json')
  }
  return { url, serviceName: environment.OTEL_SERVICE_NAME ?? 'miniseal' }
}
