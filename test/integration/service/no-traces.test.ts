/** Without a collector there is no tracing, and OpenTelemetry is not loaded. */
import { createRequire } from 'node:module'
import { expect, it } from 'vitest'
import type { RequestMessage } from '../../../crypto/frames/binary-http.ts'
import { readConfig } from '../../../service/config/config.ts'
import { ConfigError } from '../../../service/config/environment.ts'
import { parseTraces } from '../../../service/observability/tracing.ts'
import { logIn } from '../../support/raw-client.ts'
import { startTestService } from '../../support/service.ts'
import { startUpstream } from '../../support/upstream.ts'

const endpoint = 'http://127.0.0.1:4318'

it('without tracing, OpenTelemetry is not loaded and backends get no trace context', async () => {
  const upstream = await startUpstream((_, response) => response.end())
  const service = await startTestService({ environment: { MINISEAL_UPSTREAMS: `/shop=${upstream.origin}` } })
  try {
    const session = await logIn(service)
    const theirs: [string, string] = [
      'traceparent',
      '00-11111111111111111111111111111111-2222222222222222-01',
    ]
    const before = (message: RequestMessage) => ({ ...message, fields: [...message.fields, theirs] })
    expect((await session.send({ path: '/shop', before })).status).toBe(200)
    expect(upstream.last().headers).not.toHaveProperty('traceparent')
    const { cache } = createRequire(import.meta.url)
    // Of its packages the smallest comes with those of the metrics.
    const loaded = Object.keys(cache).filter((path) => /@opentelemetry\/(?!api\/)/.test(path))
    expect(loaded).toEqual([])
  } finally {
    await service.close()
    upstream.close()
  }
})

it('tracing follows the OpenTelemetry variables', () => {
  expect(parseTraces({})).toBeUndefined()
  const common = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }
  expect(parseTraces(common)).toEqual({ url: `${endpoint}/v1/traces`, serviceName: 'miniseal' })
  expect(parseTraces({ OTEL_EXPORTER_OTLP_ENDPOINT: `${endpoint}/` })?.url).toBe(`${endpoint}/v1/traces`)
  expect(parseTraces({ ...common, OTEL_SDK_DISABLED: 'TRUE' })).toBeUndefined()
  expect(parseTraces({ ...common, OTEL_TRACES_EXPORTER: 'none' })).toBeUndefined()
  expect(parseTraces({ ...common, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' })).toBeDefined()
  const own = { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json' }
  expect(parseTraces({ ...common, ...own })).toBeDefined()
})

it.each([
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' }, /must be http/],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'grpc://collector' }, /must be http/],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, /must be http\/json/],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_EXPORTER: 'zipkin' }, /must be otlp or none/],
])('the service does not start with the tracing variables %j', (environment, message) => {
  expect(() => readConfig(environment)).toThrow(ConfigError)
  expect(() => readConfig(environment)).toThrow(message)
})
