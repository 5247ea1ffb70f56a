/** Where traces go: the variables of OpenTelemetry's specification, as far as the service reads them itself. */

export interface TraceSettings {
  /** Of the collector: OTLP over HTTP, in JSON. */
  readonly url: string
  /** The name of this service in the traces. */
  readonly serviceName: string
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Reads `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` (used as it is), or `OTEL_EXPORTER_OTLP_ENDPOINT` (`/v1/traces` is put behind
 * it). `OTEL_SDK_DISABLED=true` and `OTEL_TRACES_EXPORTER=none` switch traces off all the same.
 *
 * @returns `undefined` when there are to be no traces
 * @throws Error for the operator: no URL, or a protocol or an exporter that the service does not have.
 */
export function parseTraces(environment: Environment): TraceSettings | undefined {
  const { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: own, OTEL_EXPORTER_OTLP_ENDPOINT: common } = environment
  const given = own ?? (common === undefined ? undefined : `${common.replace(/\/+$/, '')}/v1/traces`)
  const exporter = environment.OTEL_TRACES_EXPORTER ?? 'otlp'
  if (given === undefined || environment.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return undefined
  if (exporter === 'none') return undefined
  if (exporter !== 'otlp') throw new Error('OTEL_TRACES_EXPORTER must be otlp or none')
  if (!/^https?:\/\//.test(given) || !URL.canParse(given)) {
    throw new Error('OTEL_EXPORTER_OTLP_ENDPOINT (or …_TRACES_ENDPOINT) must be http(s)://host[:port][/path]')
  }
  assertProtocol(environment)
  return { url: given, serviceName: environment.OTEL_SERVICE_NAME ?? 'miniseal' }
}

function assertProtocol(environment: Environment): void {
  const { OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: own, OTEL_EXPORTER_OTLP_PROTOCOL: common } = environment
  if ((own ?? common ?? 'http/json') === 'http/json') return
  throw new Error(
    'OTEL_EXPORTER_OTLP_PROTOCOL (or …_TRACES_PROTOCOL) must be http/json: the service speaks no other',
  )
}
