/** An HTTP server that simulates WeChat's server API, for development and tests. Its state is in memory. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { WechatApp } from '../client.ts'
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
import type { Random } from './credentials.ts'
import { faultyCalls, refusal } from './faults.ts'
import { type ApiPath, createSandboxState, type SandboxState } from './state.ts'

export interface SandboxOptions {
  readonly apps: readonly WechatApp[]
  /** UNIX seconds; the system clock by default. */
  readonly now?: () => number
  /** For codes, openids, session keys and tokens; node:crypto by default. The SOTER key does not use it. */
  readonly random?: Random
}

type Env = { Bindings: HttpBindings }

/** Large enough for a fault whose answer exceeds the client's limit. */
const maxBodyBytes = 2 * 1024 * 1024

export type Sandbox = ReturnType<typeof createSandbox>

export function createSandbox(options: SandboxOptions) {
  const now = options.now ?? (() => Math.floor(Date.now() / 1000))
  let server: Server | undefined
  return {
    /**
     * Listens; port 0 selects a free one. `url` is the base URL for the client, without a trailing slash.
     *
     * @throws Error when the sandbox is running, or the address is not available.
     */
    async start(port: number, host: string): Promise<{ readonly url: string }> {
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
    },
    /** Closes all connections and the port. */
    async close(): Promise<void> {
      const running = server
      server = undefined
      if (running === undefined) return
      running.closeAllConnections()
      await new Promise((resolve) => running.close(resolve))
    },
  }
}

function createApp(state: SandboxState): Hono<Env> {
  const app = new Hono<Env>()
  app.use(
    bodyLimit({ maxSize: maxBodyBytes, onError: (c) => c.json({ error: 'the body is too large' }, 413) }),
  )
  app.route('/sandbox', controlRoutes(state))

  function answer(
    path: ApiPath,
    method: 'GET' | 'POST',
    run: (c: Context<Env>) => Promise<Outcome> | Outcome,
  ) {
    app.on(method, `/${path}`, faultyCalls(path, state.faults, state.random), async (c) => {
      const outcome = await run(c)
      const reply = typeof outcome === 'number' ? refusal(outcome, state.random) : outcome
      // code2Session answers JSON with the content type of text.
      const type = path === 'sns/jscode2session' ? 'text/plain' : 'application/json; encoding=utf-8'
      return c.body(JSON.stringify(reply), 200, { 'content-type': type })
    })
  }
  answer('sns/jscode2session', 'GET', (c) => codeToSession(state, c.req.query()))
  answer('cgi-bin/stable_token', 'POST', async (c) => stableToken(state, await jsonOf(c)))
  answer('wxa/checksession', 'GET', (c) => checkSession(state, c.req.query()))
  answer('cgi-bin/soter/verify_signature', 'POST', async (c) =>
    verifySoterSignature(state, c.req.query(), await jsonOf(c)),
  )
  answer('wxa/business/getuserphonenumber', 'POST', async (c) =>
    userPhoneNumber(state, c.req.query(), await jsonOf(c)),
  )
  answer('wxa/getuserriskrank', 'POST', async (c) => userRiskRank(state, c.req.query(), await jsonOf(c)))

  app.notFound((c) => c.json({ error: 'the sandbox has no such route' }, 404))
  app.onError((_error, c) => c.json({ error: 'the sandbox failed' }, 500))
  return app
}

/** `undefined` for a body that is not JSON: the API answers 47001. */
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
