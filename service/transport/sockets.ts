/** All sockets of one service: `GET /seal` with an upgrade, their looks, and their end. */
import type { HttpBindings, WebSocketLike, WebSocketServerLike } from '@hono/node-server'
import { upgradeWebSocket } from '@hono/node-server'
import type { Context, MiddlewareHandler } from 'hono'
import type { WSEvents } from 'hono/ws'
import { WebSocket, WebSocketServer } from 'ws'
import type { ExchangeContext } from '../channel/context.ts'
import type { Subscribers } from '../events/subscribers.ts'
import { createSubscribers } from '../events/subscribers.ts'
import { clearAnswer, senderOf, sourceOf } from './channel.ts'
import { ChannelSocket } from './socket.ts'
import type { SocketObserver, SocketTimes } from './socket-settings.ts'
import { closeTimeout, ends, maxFragments, socketTimes } from './socket-settings.ts'

/** The one protocol that is spoken over sockets (RFC 6455, section 1.9). */
const subprotocol = 'miniseal.v1'

/**
 * Makes what turns connections into WebSockets. A message over the limit ends its socket before it is read (1009), and so does
 * one in too many fragments (1008).
 * Nothing is compressed: what is sealed does not get smaller.
 */
export function createSocketServer(maxFrame: number): WebSocketServerLike {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: maxFrame,
    maxFragments,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
  })
  // The one cast of this adapter: it is made for these servers, but spells optional members in another way.
  return server as unknown as WebSocketServerLike
}

export interface SocketsParts {
  readonly context: ExchangeContext
  readonly metrics: { readonly onSocket: SocketObserver }
  /** True once the service takes no new work. */
  readonly isStopping: () => boolean
  /** {@link socketTimes} by default. */
  readonly times?: SocketTimes | undefined
}

export interface Sockets {
  /** Stand before {@link Sockets.upgrade}. */
  readonly guard: MiddlewareHandler<{ Bindings: HttpBindings }>
  readonly upgrade: MiddlewareHandler
  /** Ends all of them, once what is at work is answered. */
  close(): Promise<void>
}

export function createSockets(parts: SocketsParts): Sockets {
  const { context, isStopping, times = socketTimes } = parts
  const subscribers = createSubscribers(context.store, context.now)
  const open = new Set<ChannelSocket>()
  const timer = setInterval(() => {
    for (const socket of open) socket.look()
  }, times.checkInterval)
  timer.unref()
  let whenEmpty = (): void => {}
  const onClosed = (socket: ChannelSocket): void => {
    open.delete(socket)
    if (open.size === 0) whenEmpty()
  }
  return {
    guard: guardUpgrade(context, isStopping),
    upgrade: upgradeWebSocket((c) => socketEvents({ ...parts, subscribers, times }, c, open, onClosed)),
    async close() {
      for (const socket of open) socket.end(ends.stopping)
      // Those that read slowly, or not at all, do not keep the others waiting.
      const late = setTimeout(() => {
        for (const socket of open) socket.cut()
      }, ends.stopping.patience + closeTimeout)
      await new Promise<void>((resolve) => {
        whenEmpty = resolve
        if (open.size === 0) resolve()
      })
      clearTimeout(late)
      clearInterval(timer)
      subscribers.close()
    },
  }
}

/** Refuses what cannot become a socket of the channel. Headers are attacker-controlled. */
function guardUpgrade(context: ExchangeContext, isStopping: () => boolean): Sockets['guard'] {
  return async function guardSocket(c, next) {
    if (c.req.header('upgrade')?.toLowerCase() !== 'websocket') {
      c.header('upgrade', 'websocket')
      return problem(c, 426, 'GET /seal is for WebSockets; frames go over POST /seal too')
    }
    const offered = c.req.header('sec-websocket-protocol')?.split(',') ?? []
    if (!offered.some((name) => name.trim() === subprotocol))
      return problem(c, 400, `Sec-WebSocket-Protocol must offer ${subprotocol}`)
    if (isStopping()) return problem(c, 503, 'The service stops')
    try {
      context.limits.sockets.assertCapacity(sourceOf(context, c))
    } catch (error) {
      return await clearAnswer(context, error, senderOf(context, c))
    }
    await next()
    return undefined
  }
}

function problem(c: Context, status: 400 | 426 | 503, title: string): Response {
  return c.json({ title, status }, status, { 'content-type': 'application/problem+json' })
}

/** What happens on one connection from its upgrade on. */
function socketEvents(
  parts: SocketsParts & { readonly subscribers: Subscribers; readonly times: SocketTimes },
  c: Context<{ Bindings: HttpBindings }>,
  open: Set<ChannelSocket>,
  onClosed: (socket: ChannelSocket) => void,
): WSEvents<WebSocketLike> {
  const sender = senderOf(parts.context, c)
  const connection = c.env.incoming.socket
  let socket: ChannelSocket | undefined
  let leave = (): void => {}
  return {
    onOpen(_event, { raw }) {
      if (!(raw instanceof WebSocket)) throw new Error('not a socket of our server')
      try {
        leave = parts.context.limits.sockets.open(sender.source)
      } catch {
        // Others came at the same moment.
        raw.terminate()
        return
      }
      socket = new ChannelSocket({
        ...parts,
        observer: parts.metrics.onSocket,
        socket: raw,
        connection,
        sender,
      })
      open.add(socket)
      parts.metrics.onSocket.onOpen()
      if (parts.isStopping()) socket.end(ends.stopping)
    },
    onMessage({ data }) {
      socket?.receive(data instanceof ArrayBuffer ? new Uint8Array(data) : '')
    },
    onClose({ code }) {
      if (socket === undefined) return
      socket.closed()
      leave()
      parts.metrics.onSocket.onClose(code)
      onClosed(socket)
    },
  }
}
