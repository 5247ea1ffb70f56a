/** A service embedded in a program with its own OpenTelemetry: their traces do not mix. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type {
  Context,
  ContextManager,
  MeterProvider,
  TextMapPropagator,
  TracerProvider,
} from '@opentelemetry/api'
import { context, createNoopMeter, metrics, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { expect, it } from 'vitest'
import { startCollector } from '../../support/collector.ts'
import { logIn } from '../../support/raw-client.ts'
import { startTestService } from '../../support/service.ts'

it('tracing does not touch the OpenTelemetry providers of the host program', async () => {
  const created: string[] = []
  const storage = new AsyncLocalStorage<Context>()
  const manager: ContextManager = {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (active, work, self, ...args) => storage.run(active, () => work.call(self, ...args)),
    bind: (_, target) => target,
    enable: () => manager,
    disable: () => manager,
  }
  const tracers: TracerProvider = {
    getTracer: (name) => {
      created.push(`tracer ${name}`)
      return new Proxy({} as ReturnType<TracerProvider['getTracer']>, {
        get: () => () => created.push('span'),
      })
    },
  }
  const meters: MeterProvider = {
    getMeter: (name) => {
      created.push(`meter ${name}`)
      return createNoopMeter()
    },
  }
  const theirs = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 }
  const propagator: TextMapPropagator = {
    inject: () => undefined,
    extract: (given) => trace.setSpanContext(given, theirs),
    fields: () => [],
  }
  expect(trace.setGlobalTracerProvider(tracers)).toBe(true)
  expect(context.setGlobalContextManager(manager)).toBe(true)
  expect(metrics.setGlobalMeterProvider(meters)).toBe(true)
  expect(propagation.setGlobalPropagator(propagator)).toBe(true)

  const collector = await startCollector()
  try {
    const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint }
    const service = await startTestService({ environment })
    const mine = trace.setSpanContext(ROOT_CONTEXT, theirs)
    await context.with(mine, async () => {
      expect((await (await logIn(service)).send()).status).toBe(200)
      expect(context.active()).toBe(mine)
    })
    await service.close()
  } finally {
    collector.close()
  }
  expect(created).toEqual([])
  expect(collector.spans.length).toBeGreaterThan(10)
  expect(collector.text()).not.toContain(theirs.traceId)
  expect(collector.text()).not.toContain(theirs.spanId)
  expect(metrics.getMeterProvider()).toBe(meters)
})
