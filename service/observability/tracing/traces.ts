/** What the service tells OpenTelemetry, and nothing at all while no collector is configured. */
import type { MiddlewareHandler } from 'hono'
import type { Logger } from 'pino'
import type { ExchangeRecord } from '../../channel/context.ts'
import type { ExchangeTrace } from '../../channel/stages.ts'
import { untracedExchange } from '../../channel/stages.ts'
import type { BackendTrace } from '../../gateway/backend.ts'
import { untracedBackend } from '../../gateway/backend.ts'
import type { Store } from '../../store/store.ts'
import type { WechatCall } from '../../wechat/client.ts'
import type { TraceSettings } from './settings.ts'

/** Observers for the parts of the service; none of them throws. */
export interface Traces {
  /** For the outer requests; absent when there are no traces. */
  readonly middleware: MiddlewareHandler | undefined
  readonly exchange: ExchangeTrace
  readonly onExchange: (record: ExchangeRecord) => void
  readonly onWechatCall: (call: WechatCall) => void
  /** The same store, whose commits are seen. */
  store(store: Store): Store
  readonly backend: BackendTrace
  /** Sends what is left, for a few seconds at most. */
  stop(): Promise<void>
}

const noTraces: Traces = {
  middleware: undefined,
  exchange: untracedExchange,
  onExchange: () => {},
  onWechatCall: () => {},
  store: (store) => store,
  backend: untracedBackend,
  stop: async () => {},
}

/** Nothing of OpenTelemetry is loaded unless it has somewhere to go. */
export async function openTraces(settings: TraceSettings | undefined, log: Logger): Promise<Traces> {
  if (settings === undefined) return noTraces
  const { createTraces } = await import('./opentelemetry.ts')
  return createTraces(settings, log)
}
