/** Limits on HTTP connections: how many are open, how many requests they pipeline, how finely they chunk bodies. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { LRUCache } from 'lru-cache'
import { createBodyMemoryBudget } from '../limits/body-memory.ts'
import { sourceOf } from '../limits/client-address.ts'
import type { LimitSettings } from '../limits/settings.ts'

/** Connections of a source that may be closed for abuse within {@link blockDuration} before the source is blocked. */
const maxAbusiveConnections = 8

/** Milliseconds. */
const blockDuration = 10_000

export interface ConnectionGuard {
  /** Reports a connection that was closed for abuse. */
  reportAbuse(socket: Socket): void
}

/**
 * Closes connections over the limits, and all connections of a source that repeats abuse. Behind trusted proxies only
 * the total is limited, since every connection comes from a proxy.
 */
export function guardConnections(
  server: Server,
  { connections, connections_ip }: LimitSettings,
  trustedProxies: number,
): ConnectionGuard {
  server.maxConnections = connections
  if (trustedProxies > 0) return { reportAbuse: () => undefined }
  const open = new Map<string, Set<Socket>>()
  const abuses = new LRUCache<string, number>({ max: 10_000, ttl: blockDuration })
  const isBlocked = (source: string): boolean => (abuses.get(source) ?? 0) >= maxAbusiveConnections
  server.on('connection', (socket) => {
    const source = addressOf(socket)
    const connected = open.get(source) ?? new Set()
    open.set(source, connected.add(socket))
    socket.once('close', () => {
      connected.delete(socket)
      if (connected.size === 0) open.delete(source)
    })
    if (connected.size > connections_ip || isBlocked(source)) socket.destroy()
  })
  return {
    reportAbuse(socket) {
      const source = addressOf(socket)
      abuses.set(source, (abuses.get(source) ?? 0) + 1)
      if (isBlocked(source)) for (const other of open.get(source) ?? []) other.destroy()
    },
  }
}

/** A closed socket has no remote address. */
const addresses = new WeakMap<Socket, string>()

function addressOf(socket: Socket): string {
  const address = addresses.get(socket) ?? sourceOf(socket.remoteAddress, undefined, 0)
  addresses.set(socket, address)
  return address
}

/** Unanswered requests of a connection above which it is not read. */
const maxReadAhead = 4

/** One read may contain more than {@link maxReadAhead} requests; a connection with more than this is closed. */
const maxUnanswered = 32

/** Bytes of written but unread responses, of all connections together. */
const maxUnread = 67_108_864

/** The reason for closing a connection, for the metrics. */
export type CloseReason = 'pipelining' | 'slow-reader' | 'tiny-chunks'

export interface PipeliningSettings {
  /** The address group of a client. */
  readonly sourceOf: (request: IncomingMessage) => string
  /** Must not throw. */
  readonly onClose: (reason: CloseReason, socket: Socket) => void
}

type RequestListener = (request: IncomingMessage, response: ServerResponse) => unknown

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** Pipelined requests of one connection, in order. */
interface Pipeline {
  readonly queue: Exchange[]
  unanswered: number
  isBusy: boolean
}

/**
 * Serves the requests of each connection one at a time: pipelined requests (RFC 9112, section 9.3.2) cost the client a
 * few bytes each, responses far more. When unread responses exhaust their budget, the connection with the oldest one of
 * the source with the most is closed.
 */
export function limitPipelining(server: Server, { sourceOf: source, onClose }: PipeliningSettings): void {
  const [serve] = server.listeners('request') as RequestListener[]
  if (serve === undefined) throw new Error('the server has no request listener')
  const pipelines = new WeakMap<Socket, Pipeline>()
  const unread = createBodyMemoryBudget(maxUnread)
  const close = (socket: Socket, reason: CloseReason): void => {
    if (!socket.destroyed) onClose(reason, socket)
    socket.destroy()
  }
  const trackUnread = ({ request, response }: Exchange): void => {
    const { socket } = request
    if (response.writableFinished || socket.destroyed) return
    const evict = (): void => close(socket, 'slow-reader')
    try {
      response.once('close', unread.reserve(source(request), socket.writableLength, evict).release)
    } catch {
      evict()
    }
  }
  const serveNext = (pipeline: Pipeline): void => {
    if (pipeline.isBusy) return
    const next = pipeline.queue.shift()
    if (next === undefined || next.request.socket.destroyed) return
    pipeline.isBusy = true
    void Promise.resolve(serve(next.request, next.response)).then(
      () => trackUnread(next),
      () => next.request.socket.destroy(),
    )
  }
  server.removeAllListeners('request')
  server.on('request', (request, response) => {
    const { socket } = request
    // Node continues to parse bytes that it read before the socket was destroyed.
    if (socket.destroyed) return
    const pipeline = pipelines.get(socket) ?? { queue: [], unanswered: 0, isBusy: false }
    pipelines.set(socket, pipeline)
    pipeline.unanswered += 1
    if (pipeline.unanswered > maxUnanswered) {
      close(socket, 'pipelining')
      return
    }
    limitChunks(request, () => close(socket, 'tiny-chunks'))
    // Deferred: Node resumes the socket after it has parsed this request.
    process.nextTick(() => {
      if (pipeline.unanswered >= maxReadAhead && !socket.destroyed) socket.pause()
    })
    response.once('close', () => {
      pipeline.unanswered -= 1
      pipeline.isBusy = false
      if (pipeline.unanswered < maxReadAhead && socket.isPaused()) socket.resume()
      serveNext(pipeline)
    })
    pipeline.queue.push({ request, response })
    serveNext(pipeline)
  })
}

/** Chunks (RFC 9112, section 7.1) that a body may have regardless of their size. */
const freeChunks = 64

/** Mean bytes per chunk beyond {@link freeChunks}. */
const minMeanChunk = 64

/** Reading a one-byte chunk costs thousands of times its size. @param close called when the chunks are too small */
function limitChunks(request: IncomingMessage, close: () => void): void {
  if (request.headers['transfer-encoding'] === undefined) return
  let chunks = 0
  let bytes = 0
  const { push } = request
  request.push = function pushCounted(chunk: Uint8Array | null, encoding) {
    chunks += 1
    bytes += chunk?.length ?? 0
    if (chunks <= freeChunks + bytes / minMeanChunk) return push.call(request, chunk, encoding)
    close()
    return false
  }
}
