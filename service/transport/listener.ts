/** The port of a service: opened first, served when there is something to serve, closed in peace. */
import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import { guardConnections } from '../limits/connections.ts'
import type { LimitSettings } from '../limits/settings.ts'
import { sourceOf } from '../limits/source.ts'
import type { CutReason } from './pipelines.ts'
import { boundPipelines } from './pipelines.ts'
import { createSocketServer } from './sockets.ts'
import { serveUpgrades } from './upgrades.ts'

/** How long a stop waits for what runs, in milliseconds: longer than the gateway waits for a backend. */
const stopPatience = 15_000

/** How long a connection may stand still while a request is at work or its answer is on the way, in milliseconds. */
const socketPatience = 60_000

export interface ListenerSettings {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly limits: LimitSettings
  readonly trustedProxies: number
  /** Bytes of the largest frame. */
  readonly maxFrame: number
  /** Milliseconds that a connection may stand still while a request is at work or its answer is on the way. */
  readonly patience?: number | undefined
  /** Told of each connection that is closed for what it asks for; must not throw. */
  readonly onCut: (reason: CutReason) => void
}

type Fetch = (request: Request, environment: unknown) => Response | Promise<Response>

export interface Listener {
  readonly url: string
  /** From now on requests are answered; those before wait. */
  use(fetch: Fetch): void
  close(): Promise<void>
}

/** Opens the port first: a development origin is the address that was given to us. */
export async function listen({
  host,
  port,
  limits,
  trustedProxies,
  maxFrame,
  patience = socketPatience,
  onCut,
}: ListenerSettings): Promise<Listener> {
  let ready: (fetch: Fetch) => void = () => {}
  const app = new Promise<Fetch>((resolve) => {
    ready = resolve
  })
  return await new Promise<Listener>((resolve, reject) => {
    const server = serve(
      {
        fetch: async (request: Request, environment: unknown) => (await app)(request, environment),
        hostname: host,
        port,
        // How often connections are looked at that are past the times below, in milliseconds.
        serverOptions: { connectionsCheckingInterval: 2_000 },
        websocket: { server: createSocketServer(maxFrame) },
      },
      (opened) => {
        const name = host.includes(':') ? `[${host}]` : host
        const url = `http://${name}:${opened.port}`
        resolve({ url, use: ready, close: () => closeServer(server as Server) })
      },
    ) as Server
    // Slow clients are cut: a frame is small, and nothing of ours takes a minute.
    server.headersTimeout = 10_000
    server.requestTimeout = 30_000
    // Also those that do not read their answer.
    server.timeout = patience
    const guard = guardConnections(server, limits, trustedProxies)
    serveUpgrades(server)
    boundPipelines(server, {
      sourceOf: ({ socket, headers }) =>
        sourceOf(socket.remoteAddress, forwardedFor(headers['x-forwarded-for']), trustedProxies),
      onCut(reason, socket) {
        onCut(reason)
        if (reason === 'tiny-chunks') guard.reportCostly(socket)
      },
    })
    server.on('error', reject)
  })
}

function forwardedFor(field: string | string[] | undefined): string | undefined {
  return Array.isArray(field) ? field.join(',') : field
}

async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
    setTimeout(() => server.closeAllConnections(), stopPatience).unref()
  })
}
