/** The HTTP listener: it binds the port before the application exists and drains connections on close. */
import type { Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { serve } from '@hono/node-server'
import { sourceOf } from '../limits/client-address.ts'
import type { LimitSettings } from '../limits/settings.ts'
import { type CloseReason, guardConnections, limitPipelining } from './connection-limits.ts'
import { createSocketServer } from './sockets.ts'

/** Timeouts in milliseconds. */
export interface ListenerTimes {
  /** For the header of a request. */
  readonly header: number
  /** For a whole request. */
  readonly request: number
  /** Without progress while a request is processed or its response is sent. */
  readonly stall: number
  /** Between two checks of `header` and `request`. */
  readonly checkInterval: number
  /** For requests in process on close; longer than the gateway waits for a backend. */
  readonly drain: number
}

const defaultTimes: ListenerTimes = {
  header: 10_000,
  request: 30_000,
  stall: 60_000,
  checkInterval: 2_000,
  drain: 15_000,
}

export interface ListenerSettings {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  readonly limits: LimitSettings
  readonly trustedProxies: number
  /** Bytes of the largest frame. */
  readonly maxFrame: number
  readonly times?: Partial<ListenerTimes> | undefined
  /** Called for each connection that is closed for abuse; must not throw. */
  readonly onConnectionClosed: (reason: CloseReason) => void
}

type Fetch = (request: Request, environment: unknown) => Response | Promise<Response>

export interface Listener {
  readonly url: string
  /** Starts serving. Requests that arrived earlier are queued. */
  use(fetch: Fetch): void
  close(): Promise<void>
}

/** @throws Error when the port is in use. */
export async function listen(settings: ListenerSettings): Promise<Listener> {
  const { host, port, maxFrame } = settings
  const times = { ...defaultTimes, ...settings.times }
  let use: (fetch: Fetch) => void = () => {}
  const app = new Promise<Fetch>((resolve) => {
    use = resolve
  })
  return await new Promise<Listener>((resolve, reject) => {
    const server = serve(
      {
        fetch: async (request: Request, environment: unknown) => (await app)(request, environment),
        hostname: host,
        port,
        serverOptions: { connectionsCheckingInterval: times.checkInterval },
        websocket: { server: createSocketServer(maxFrame) },
      },
      (address) => {
        const name = host.includes(':') ? `[${host}]` : host
        const url = `http://${name}:${address.port}`
        resolve({ url, use, close: () => closeServer(server as Server, times.drain) })
      },
    ) as Server
    server.headersTimeout = times.header
    server.requestTimeout = times.request
    server.timeout = times.stall
    limitConnections(server, settings)
    rejectOtherProtocols(server)
    server.on('error', reject)
  })
}

function limitConnections(server: Server, settings: ListenerSettings): void {
  const { limits, trustedProxies, onConnectionClosed } = settings
  const guard = guardConnections(server, limits, trustedProxies)
  limitPipelining(server, {
    sourceOf: ({ socket, headers }) => {
      const forwardedFor = headers['x-forwarded-for']
      const joined = Array.isArray(forwardedFor) ? forwardedFor.join(',') : forwardedFor
      return sourceOf(socket.remoteAddress, joined, trustedProxies)
    },
    onClose(reason, socket) {
      onConnectionClosed(reason)
      if (reason === 'tiny-chunks') guard.reportAbuse(socket)
    },
  })
}

async function closeServer(server: Server, drainTimeout: number): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
    setTimeout(() => server.closeAllConnections(), drainTimeout).unref()
  })
}

/**
 * Refuses upgrades other than to a WebSocket (RFC 9110, section 7.8), CONNECT, and unparsable requests. Node detaches
 * such connections from the server and its timeouts, so without a response they would stay open.
 */
function rejectOtherProtocols(server: Server): void {
  const listeners = server.listeners('upgrade')
  // Replaced, not supplemented: the WebSocket listener does not refuse upgrades when another listener exists.
  server.removeAllListeners('upgrade')
  server.on('upgrade', (request, socket, head) => {
    if (request.headers.upgrade?.toLowerCase() === 'websocket') {
      for (const listener of listeners) listener.call(server, request, socket, head)
      return
    }
    refuse(socket, '400 Bad Request', 'Upgrade to a protocol other than WebSocket')
  })
  server.on('connect', (_request, socket) => refuse(socket, '405 Method Not Allowed', 'Not a proxy'))
  server.on('clientError', (error: ClientError, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
    const [status, title] = problemOf(error)
    refuse(socket, status, title)
  })
}

interface ClientError extends Error {
  readonly code?: string
  /** Attacker-controlled. */
  readonly rawPacket?: Uint8Array
}

type StatusLine = `${number} ${string}`

/** The connection preface of HTTP/2 (RFC 9113, section 3.4). */
const http2Preface = Buffer.from('PRI * HTTP/2')

function problemOf({ code, rawPacket = new Uint8Array(0) }: ClientError): readonly [StatusLine, string] {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return ['408 Request Timeout', 'Request timed out']
  if (code === 'HPE_HEADER_OVERFLOW') return ['431 Request Header Fields Too Large', 'Header too large']
  // A TLS 1.x handshake begins with record type 22 and major version 3. Clients report "wrong version number".
  if (rawPacket[0] === 22 && rawPacket[1] === 3) {
    return ['400 Bad Request', 'TLS on a plain HTTP port: the reverse proxy must terminate TLS']
  }
  if (http2Preface.equals(rawPacket.subarray(0, http2Preface.length))) {
    return ['505 HTTP Version Not Supported', 'HTTP/2 is not supported on this port: use HTTP/1.1']
  }
  return ['400 Bad Request', 'Malformed HTTP/1.1 request']
}

function refuse(socket: Duplex, status: StatusLine, title: string): void {
  socket.on('error', () => socket.destroy())
  const body = JSON.stringify({ title, status: Number(status.slice(0, 3)) })
  const head = `connection: close\r\ncontent-type: application/problem+json\r\ncontent-length: ${body.length}`
  socket.end(`HTTP/1.1 ${status}\r\n${head}\r\n\r\n${body}`, () => socket.destroy())
}
