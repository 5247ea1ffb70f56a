/** The backend that a configuration names: the gateway, or the demo. */
import { join } from 'node:path'
import type { MessageSigner } from 'miniseal-protocol/http-signatures/signed-request'
import type { Logger } from 'pino'
import { createDemo } from '../demo/app.ts'
import { openDemoDatabase } from '../demo/database.ts'
import type { Outbox } from '../events/outbox.ts'
import type { Backend } from '../gateway/backend.ts'
import { createGateway } from '../gateway/gateway.ts'
import { mountApp } from '../gateway/mounted.ts'
import type { Keyring } from '../keys/keyring.ts'
import { randomBytes } from '../keys/sodium-primitives.ts'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import { upstreamRecorder } from '../observability/logger.ts'
import { type Metrics, toEach } from '../observability/metrics.ts'
import type { Traces } from '../observability/tracing/traces.ts'
import { type Config, maxFrame } from './config.ts'

export interface BackendParts {
  /** Host and port of the origin. */
  readonly authority: string
  readonly keyring: Keyring
  /** UNIX seconds. */
  readonly now: () => number
  readonly traces: Traces
  readonly outbox: Outbox
  readonly log: Logger
  readonly metrics: Metrics
}

export function createBackend(config: Config, parts: BackendParts): Backend {
  const { authority, keyring, now, traces, outbox, log, metrics } = parts
  if (config.upstreams !== undefined) {
    const signer = (): MessageSigner => {
      const { kid, secretKey } = keyring.current('signing', now())
      return { keyid: kid, secretKey }
    }
    const onFault = toEach(upstreamRecorder(log), metrics.onUpstreamFault)
    const tools = { trace: traces.backend, primitives: sodiumPrimitives, signer, now, random: randomBytes }
    return createGateway({ upstreams: config.upstreams, authority, maxContent: maxFrame, onFault, ...tools })
  }
  const isInMemory = config.database.kind === 'sqlite' && config.database.path === ':memory:'
  const database = openDemoDatabase(isInMemory ? ':memory:' : join(config.dataFolder, 'demo-wallet.db'))
  const demo = createDemo({ ...database, push: outbox.push, now })
  return mountApp(demo, async () => database.close(), { isIdempotent: true })
}
