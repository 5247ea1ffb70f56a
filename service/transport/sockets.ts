/** `GET /seal`: the channel over WebSockets. */
import type { HttpBindings, WebSocketLike, WebSocketServerLike } from '@hono/node-server'
import { upgradeWebSocket } from '@hono/node-server'
import type { Context, MiddlewareHandler } from 'hono'
import type { WSEvents } from 'hono/ws'
import { WebSocket, WebSocketServer } from 'ws'
import type { ExchangeContext } from '../channel/context.ts'
import { createSubscribers, type Subscribers } from '../events/subscriptions.ts'
import { uncodedProblem } from '../problems/document.ts'
import { clearAnswer, senderOf } from './seal.ts'
import { ChannelSocket, closeReasons, closeTimeout, type SocketObserver } from './socket.ts'
import { defaultSocketTimes, type SocketTimes } from './socket-flow.ts'

/** RFC 6455, section 1.9. */
const subprotocol = 'miniseal.v1'

/**
 * Fragments of one message (RFC 6455, section 5.4). Each is buffered separately with some hundred bytes of overhead;
 * one-byte fragments used twenty times their size.
 */
const maxFragments = 256

/**
 * Creates the WebSocket server. A message over the size limit closes its socket before it is read (1009), a message in
 * too many fragments closes it too (1008). Compression is off: ciphertext does not compress.
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
  // The adapter supports this class; the types differ only in optional members.
  return server as unknown as WebSocketServerLike
}

export interface SocketsDependencies {
  readonly context: ExchangeContext
  readonly metrics: { readonly onSocket: SocketObserver }
  readonly isStopping: () => boolean
  /** Overrides of {@link defaultSocketTimes}. */
  readonly times?: Partial<SocketTimes> | undefined
}

export interface Sockets {
  /** Runs before {@link Sockets.upgrade}. */
  readonly guard: MiddlewareHandler<{ Bindings: HttpBindings }>
  readonly upgrade: MiddlewareHandler
  /** Closes all sockets after their requests in process. */
  close(): Promise<void>
}

export function createSockets(dependencies: SocketsDependencies): Sockets {
  const { context, isStopping } = dependencies
  const times = { ...defaultSocketTimes, ...dependencies.times }
  const subscribers = createSubscribers(context.store, context.now)
  const open = new Set<ChannelSocket>()
  const timer = setInterval(() => {
    for (const socket of open) socket.check()
  }, times.checkInterval)
  timer.unref()
  let onEmpty = (): void => {}
  const onClosed = (socket: ChannelSocket): void => {
    open.delete(socket)
    if (open.size === 0) onEmpty()
  }
  return {
    guard: guardUpgrade(context, isStopping),
    upgrade: upgradeWebSocket((c) =>
      socketEvents({ ...dependencies, subscribers, times }, c, open, onClosed),
    ),
    async close() {
      for (const socket of open) socket.close(closeReasons.stopping)
      const deadline = setTimeout(() => {
        for (const socket of open) socket.terminate()
      }, closeReasons.stopping.grace + closeTimeout)
      await new Promise<void>((resolve) => {
        onEmpty = resolve
        if (open.size === 0) resolve()
      })
      clearTimeout(deadline)
      clearInterval(timer)
      subscribers.close()
    },
  }
}

/** Refuses requests that cannot become a socket of the channel. Headers are attacker-controlled. */
function guardUpgrade(context: ExchangeContext, isStopping: () => boolean): Sockets['guard'] {
  return async function guardSocket(c, next) {
    if (c.req.header('upgrade')?.toLowerCase() !== 'websocket') {
      c.header('upgrade', 'websocket')
      return uncodedProblem(c, 426, 'GET /seal is for WebSockets; frames go over POST /seal too')
    }
    const offered = c.req.header('sec-websocket-protocol')?.split(',') ?? []
    if (!offered.some((name) => name.trim() === subprotocol))
      return uncodedProblem(c, 400, `Sec-WebSocket-Protocol must offer ${subprotocol}`)
    if (isStopping()) return uncodedProblem(c, 503, 'The service is stopping')
    const sender = senderOf(context, c)
    try {
      context.limits.sockets.assertCapacity(sender.source)
    } catch (error) {
      return await clearAnswer(context, error, sender)
    }
    await next()
    return undefined
  }
}

/** Event handlers of one connection after its upgrade. */
function socketEvents(
  dependencies: SocketsDependencies & { readonly subscribers: Subscribers; readonly times: SocketTimes },
  c: Context<{ Bindings: HttpBindings }>,
  open: Set<ChannelSocket>,
  onClosed: (socket: ChannelSocket) => void,
): WSEvents<WebSocketLike> {
  const { context, metrics, isStopping } = dependencies
  const sender = senderOf(context, c)
  const connection = c.env.incoming.socket
  let socket: ChannelSocket | undefined
  let releaseSlot = (): void => {}
  return {
    onOpen(_event, { raw }) {
      if (!(raw instanceof WebSocket)) throw new Error('unexpected WebSocket implementation')
      try {
        releaseSlot = context.limits.sockets.open(sender.source)
      } catch {
        // Concurrent upgrades took the last slot after the guard ran.
        raw.terminate()
        return
      }
      const observer = metrics.onSocket
      socket = new ChannelSocket({ ...dependencies, observer, socket: raw, connection, sender })
      open.add(socket)
      observer.onOpen()
      if (isStopping()) socket.close(closeReasons.stopping)
    },
    onMessage({ data }) {
      socket?.receive(data instanceof ArrayBuffer ? new Uint8Array(data) : '')
    },
    onClose({ code }) {
      if (socket === undefined) return
      socket.closed()
      releaseSlot()
      metrics.onSocket.onClose(code)
      onClosed(socket)
    },
  }
}
