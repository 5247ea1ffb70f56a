/**
 * A small HTTP server that behaves like WeChat's server API, for development and tests. Its state lives in memory
 * and begins anew with every start.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { WechatApp } from '../client.ts'
import { type Random, refusal } from './answers.ts'
import {
  checkSession,
  codeToSession,
  type Outcome,
  stableToken,
  userPhoneNumber,
  userRiskRank,
  verifySoterSignature,
} from './api.ts'
import { controlRoutes } from './control.ts'
import { faultyCalls } from './faults.ts'
import { type ApiPath, createSandboxState, type SandboxState } from './world.ts'

export interface SandboxOptions {
  readonly apps: readonly WechatApp[]
  /** Unix seconds; the clock of the machine by default. */
  readonly now?: () => number
  /** For codes, openids, session keys and tokens; node:crypto by default. The SOTER key does not use it. */
  readonly random?: Random
}

export interface Sandbox {
  /**
   * Listens, port 0 for any free one. `url` is the base URL for the client, without a trailing slash.
   * @throws Error when it runs already, or the address cannot be listened on.
   */
  start(port: number, host: string): Promise<{ readonly url: string }>
  /** Cuts all connections and frees the port. */
  close(): Promise<void>
}

type Env = { Bindings: HttpBindings }

/** Allows a fault to order an answer that is too large for any client. */
const maxBodyBytes = 2 * 1024 * 1024

export function createSandbox(options: SandboxOptions): Sandbox {
  const now = options.now ?? (() => Math.floor(Date.now() / 1000))
  let server: Server | undefined

  async function start(port: number, host: string): Promise<{ readonly url: string }> {
    if (server !== undefined) throw new Error('the sandbox is already running')
    const starting = createServer()
    server = starting
    try {
      const app = createApp(createSandboxState(options.apps, now, options.random ?? randomBytes))
      starting.on(
        'request',
        getRequestListener((request, env) => app.fetch(request, env)),
      )
      starting.listen(port, host)
      await once(starting, 'listening')
    } catch (error) {
      server = undefined
      throw error
    }
    return { url: urlOf(host, starting.address()) }
  }

  async function close(): Promise<void> {
    const running = server
    server = undefined
    if (running === undefined) return
    running.closeAllConnections()
    await new Promise((resolve) => running.close(resolve))
  }

  return { start, close }
}

function createApp(sandboxState: SandboxState): Hono<Env> {
  const app = new Hono<Env>()
  app.use(
    bodyLimit({ maxSize: maxBodyBytes, onError: (c) => c.json({ error: 'the body is too large' }, 413) }),
  )
  app.route('/sandbox', controlRoutes(sandboxState))

  function answer(
    path: ApiPath,
    method: 'GET' | 'POST',
    run: (c: Context<Env>) => Promise<Outcome> | Outcome,
  ) {
    app.on(method, `/${path}`, faultyCalls(path, sandboxState.faults, sandboxState.random), async (c) => {
      const outcome = await run(c)
      const reply = typeof outcome === 'number' ? refusal(outcome, sandboxState.random) : outcome
      // code2Session is known for answering JSON as text.
      const type = path === 'sns/jscode2session' ? 'text/plain' : 'application/json; encoding=utf-8'
      return c.body(JSON.stringify(reply), 200, { 'content-type': type })
    })
  }
  answer('sns/jscode2session', 'GET', (c) => codeToSession(sandboxState, c.req.query()))
  answer('cgi-bin/stable_token', 'POST', async (c) => stableToken(sandboxState, await jsonOf(c)))
  answer('wxa/checksession', 'GET', (c) => checkSession(sandboxState, c.req.query()))
  answer('cgi-bin/soter/verify_signature', 'POST', async (c) =>
    verifySoterSignature(sandboxState, c.req.query(), await jsonOf(c)),
  )
  answer('wxa/business/getuserphonenumber', 'POST', async (c) =>
    userPhoneNumber(sandboxState, c.req.query(), await jsonOf(c)),
  )
  answer('wxa/getuserriskrank', 'POST', async (c) =>
    userRiskRank(sandboxState, c.req.query(), await jsonOf(c)),
  )

  app.notFound((c) => c.json({ error: 'the sandbox has no such route' }, 404))
  app.onError((_error, c) => c.json({ error: 'the sandbox failed' }, 500))
  return app
}

/** Undefined for a body that is not JSON; the API answers it with 47001. */
async function jsonOf(c: Context<Env>): Promise<unknown> {
  try {
    return JSON.parse(await c.req.text())
  } catch {
    return undefined
  }
}

function urlOf(host: string, address: AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') throw new Error('the sandbox has no port')
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`
}
