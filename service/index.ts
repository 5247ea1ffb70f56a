/** The package `miniseal`: a service in a program of one's own, with a backend mounted in it. */
import type { Logger } from 'pino'
import type { Config } from './config/config.ts'
import { readConfig } from './config/config.ts'
import type { Environment } from './config/environment.ts'
import { ConfigError } from './config/environment.ts'
import type { InnerApp, MountOptions } from './gateway/mounted.ts'
import { mountApp } from './gateway/mounted.ts'
import { createLogger } from './observability/logger.ts'
import type { RunningService } from './server.ts'
import { startService } from './server.ts'

export type { Config } from './config/config.ts'
export type { Environment } from './config/environment.ts'
export { ConfigError } from './config/environment.ts'
export type { NewEvent } from './events/event.ts'
export type { Pushed, PushOptions } from './events/outbox.ts'
export type { Caller, SignatureEvidence } from './gateway/backend.ts'
export type { InnerApp, InnerVariables, MountOptions } from './gateway/mounted.ts'
export { stepUpRequired } from './gateway/step-up.ts'
export type { ProblemDetails } from './problems/problem-error.ts'
export { ProblemError } from './problems/problem-error.ts'
export type { RunningService } from './server.ts'

/** What a service is made of; `isIdempotent` and `fields` are about its `app`. */
export interface ServiceOptions extends MountOptions {
  /** Instead of `environment`: a configuration that the program has made itself. */
  readonly config?: Config
  /** The variables of `docs/guides/operations.md`; those of the process by default. */
  readonly environment?: Environment
  /** Answers every verified request that is not the channel's own, instead of the gateway or the demo wallet. */
  readonly app?: InnerApp
  /** Called at the stop, after the last request. */
  readonly close?: () => Promise<void>
  /** JSON lines on standard error by default. */
  readonly log?: Logger
}

/**
 * Starts a service. It stops with `stop()`; signals are the program's own business.
 *
 * @throws ConfigError for a configuration that is not complete, and when there is an app and a gateway too.
 * @throws Error when the port is taken or the database cannot be opened.
 */
export async function createService(options: ServiceOptions): Promise<RunningService> {
  const { app, close, isIdempotent = false, fields = [] } = options
  const config =
    options.config ??
    readConfig(options.environment ?? process.env, app === undefined ? 'configured' : 'mounted')
  if (app !== undefined && config.upstreams !== undefined) {
    throw new ConfigError(['there is an app, and MINISEAL_UPSTREAMS or MINISEAL_ROUTES_FILE too: keep one'])
  }
  const log = options.log ?? createLogger(config.logLevel)
  const around = app === undefined ? {} : { backend: mountApp(app, close, { isIdempotent, fields }) }
  return await startService(config, log, around)
}
