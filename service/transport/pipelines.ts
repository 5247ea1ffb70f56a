/**
 * Bounds what one connection may ask for before it has taken its answers: pipelined requests (RFC 9112, section 9.3.2) cost
 * their sender a few bytes each, and an answer costs far more.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { createBodyMemoryBudget } from '../limits/bodies.ts'
import { boundChunks } from './chunks.ts'

/** With so many unanswered requests, nothing more is read from the connection. */
const maxRead = 4

/** One read of the system may hold more than {@link maxRead}; a connection with more than this is closed. */
const maxUnanswered = 32

/** Bytes of all answers together that were written and that nobody has read yet. */
const maxUnread = 67_108_864

/** Why a connection was closed, for the metrics. */
export type CutReason = 'pipelining' | 'slow-reader' | 'tiny-chunks'

export interface PipelineSettings {
  /** The address group of a client. */
  readonly sourceOf: (request: IncomingMessage) => string
  /** Must not throw. */
  readonly onCut: (reason: CutReason, socket: Socket) => void
}

type Answer = (request: IncomingMessage, response: ServerResponse) => unknown

interface Waiting {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** The requests of one connection, in their order. */
interface Line {
  readonly waiting: Waiting[]
  unanswered: number
  isAtWork: boolean
}

/**
 * Answers the requests of each connection one after another, the next one when the answer before has left this process.
 * Where unread answers hold too much, the oldest one of the source that holds the most is cut.
 */
export function boundPipelines(server: Server, { sourceOf, onCut }: PipelineSettings): void {
  const [answer] = server.listeners('request') as Answer[]
  if (answer === undefined) throw new Error('a server without an application')
  const lines = new WeakMap<Socket, Line>()
  const unread = createBodyMemoryBudget(maxUnread)
  const cut = (socket: Socket, reason: CutReason): void => {
    if (!socket.destroyed) onCut(reason, socket)
    socket.destroy()
  }
  const hold = ({ request, response }: Waiting): void => {
    const { socket } = request
    if (response.writableFinished || socket.destroyed) return
    const cutIt = (): void => cut(socket, 'slow-reader')
    try {
      response.once('close', unread.take(sourceOf(request), socket.writableLength, cutIt).release)
    } catch {
      cutIt()
    }
  }
  const next = (line: Line): void => {
    if (line.isAtWork) return
    const waiting = line.waiting.shift()
    if (waiting === undefined || waiting.request.socket.destroyed) return
    line.isAtWork = true
    void Promise.resolve(answer(waiting.request, waiting.response)).then(
      () => hold(waiting),
      () => waiting.request.socket.destroy(),
    )
  }
  server.removeAllListeners('request')
  server.on('request', (request, response) => {
    const { socket } = request
    // The rest of what was read before the connection was closed.
    if (socket.destroyed) return
    const line = lines.get(socket) ?? { waiting: [], unanswered: 0, isAtWork: false }
    lines.set(socket, line)
    line.unanswered += 1
    if (line.unanswered > maxUnanswered) {
      cut(socket, 'pipelining')
      return
    }
    boundChunks(request, () => cut(socket, 'tiny-chunks'))
    // Not now: Node goes on reading once it has parsed this request.
    process.nextTick(() => {
      if (line.unanswered >= maxRead && !socket.destroyed) socket.pause()
    })
    response.once('close', () => {
      line.unanswered -= 1
      line.isAtWork = false
      if (line.unanswered < maxRead && socket.isPaused()) socket.resume()
      next(line)
    })
    line.waiting.push({ request, response })
    next(line)
  })
}
