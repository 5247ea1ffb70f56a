/** The package `miniseal`: a service in your own program, with an app mounted as its backend. */
import type { Logger } from 'pino'
import { type Config, readConfig } from './config/config.ts'
import { ConfigError, type Environment } from './config/environment.ts'
import { type InnerApp, type MountOptions, mountApp } from './gateway/backend.ts'
import { createLogger } from './observability/logger.ts'
import { type RunningService, startService } from './server.ts'

export type { Caller, SignatureEvidence } from 'miniseal-protocol/http-signatures/gateway-signature'
export type { Config } from './config/config.ts'
export type { Environment } from './config/environment.ts'
export { ConfigError } from './config/environment.ts'
export type { NewEvent } from './events/event.ts'
export type { Pushed, PushOptions } from './events/outbox.ts'
export type { InnerApp, InnerVariables, MountOptions } from './gateway/backend.ts'
export { stepUpRequired } from './gateway/step-up.ts'
export type { ProblemDetails } from './problems/problem-error.ts'
export { ProblemError } from './problems/problem-error.ts'
export type { RunningService } from './server.ts'
export { PushError } from './server.ts'

/** Options of {@link createService}. `isIdempotent` and `fields` apply to `app`. */
export interface ServiceOptions extends MountOptions {
  /** A complete configuration, instead of `environment`. */
  readonly config?: Config
  /** The variables of `docs/guides/operations.md`; `process.env` by default. */
  readonly environment?: Environment
  /** Handles verified requests outside the channel's own routes, instead of the gateway or the demo wallet. */
  readonly app?: InnerApp
  /** Called on stop, after the last request. */
  readonly close?: () => Promise<void>
  /** JSON lines on standard error by default. */
  readonly log?: Logger
}

/**
 * Starts a service. Call `stop()` to stop it; the service handles no signals.
 *
 * @throws ConfigError for an invalid configuration, and for both an app and a gateway.
 * @throws Error when the port is in use or the database cannot be opened.
 */
export async function createService(options: ServiceOptions): Promise<RunningService> {
  const { app, close, isIdempotent = false, fields = [] } = options
  const config =
    options.config ??
    readConfig(options.environment ?? process.env, app === undefined ? 'configured' : 'mounted')
  if (app !== undefined && config.upstreams !== undefined) {
    throw new ConfigError([
      'an app is mounted and MINISEAL_UPSTREAMS or MINISEAL_ROUTES_FILE is set: remove one of them',
    ])
  }
  const log = options.log ?? createLogger(config.logLevel)
  const overrides = app === undefined ? {} : { backend: mountApp(app, close, { isIdempotent, fields }) }
  return await startService(config, log, overrides)
}
