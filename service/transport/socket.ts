/** One WebSocket of the channel (protocol, section 4, "Over a socket"): each binary message is one frame. */
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { equalBytes } from 'miniseal-protocol/bytes'
import { encodeFrame, type Frame, parseFrame } from 'miniseal-protocol/frames/frame'
import { type SequencedEvent, sealEvent } from 'miniseal-protocol/frames/session-keys'
import { suite1 } from 'miniseal-protocol/primitives/suite'
import { encodeBase64Url, encodeUtf8 } from 'miniseal-protocol/text'
import type { WebSocket } from 'ws'
import type { ExchangeContext } from '../channel/context.ts'
import { type ExchangeAnswer, exchange } from '../channel/exchange.ts'
import type { SocketSession, Subscriber, Subscribers } from '../events/subscriptions.ts'
import { Delivery, SocketEffects } from '../events/subscriptions.ts'
import type { Sender } from '../limits/client-address.ts'
import { Heartbeat, IncomingMessageBuffer, type SocketTimes, SocketWriter } from './socket-flow.ts'

/** How a socket is closed. */
interface CloseReason {
  readonly code: number
  readonly reason: string
  /** Milliseconds to finish requests in process. */
  readonly grace: number
}

export const closeReasons = {
  sessionOver: { code: 4401, reason: 'session over', grace: 2_000 },
  protocolError: { code: 4400, reason: 'protocol error', grace: 0 },
  anotherSession: { code: 4400, reason: 'another session', grace: 0 },
  notBound: { code: 4400, reason: 'not bound', grace: 0 },
  tooMany: { code: 4400, reason: 'too many sockets', grace: 2_000 },
  /** The next event no longer exists: the client subscribes again, from the oldest position. */
  subscribeAgain: { code: 1001, reason: 'subscribe again', grace: 2_000 },
  /** The grace period of the listener. */
  stopping: { code: 1001, reason: 'service stops', grace: 15_000 },
} as const satisfies Record<string, CloseReason>

/** Milliseconds for the client to answer a close frame. */
export const closeTimeout = 3_000

/** Concurrent requests of one socket; a client sends at most ten. */
const maxConcurrent = 16

/** Unsent bytes of one socket above which no further request is processed. */
const maxUnsent = 1_048_576

/** Unsent bytes of one socket above which the next event stays in the outbox. */
const maxUnsentEvents = 65_536

/** Metrics of sockets; must not throw. */
export interface SocketObserver {
  readonly onOpen: () => void
  readonly onClose: (code: number) => void
  readonly onDelivered: () => void
}

export interface SocketDependencies {
  readonly context: ExchangeContext
  readonly socket: WebSocket
  /** The TCP connection of the WebSocket. */
  readonly connection: Socket
  readonly sender: Sender
  readonly subscribers: Subscribers
  readonly times: SocketTimes
  readonly observer: SocketObserver
}

interface QueuedMessage {
  readonly bytes: Uint8Array
  /** Releases its memory. */
  readonly release: () => void
}

export class ChannelSocket {
  readonly #deps: SocketDependencies
  readonly #incoming: IncomingMessageBuffer
  readonly #writer: SocketWriter
  readonly #heartbeat: Heartbeat
  readonly #queue: QueuedMessage[] = []
  readonly #releases: (() => void)[] = []
  #session: SocketSession | undefined
  #delivery: Delivery | undefined
  #closeReason: CloseReason | undefined
  #inProcess = 0

  constructor(dependencies: SocketDependencies) {
    const { context, connection, sender, socket, times } = dependencies
    const { bodyMemory } = context.limits
    this.#deps = dependencies
    this.#writer = new SocketWriter(socket)
    this.#heartbeat = new Heartbeat(socket, this.#writer, times)
    this.#incoming = new IncomingMessageBuffer(bodyMemory, sender.source, context.settings.maxFrame, () =>
      this.terminate(),
    )
    // Before the listener of the WebSocket, so the read that completes a message is counted for that message.
    connection.prependListener('data', ({ length }: Uint8Array) => {
      this.#incoming.add(length, this.#session !== undefined)
    })
  }

  /** Queues one message. Attacker-controlled. */
  receive(message: string | Uint8Array): void {
    this.#heartbeat.recordActivity()
    const release = this.#incoming.complete()
    if (typeof message === 'string') this.close(closeReasons.protocolError)
    if (typeof message === 'string' || this.#closeReason !== undefined) {
      release()
      return
    }
    this.#queue.push({ bytes: message, release })
    this.#processQueue()
  }

  /** Stops reading, grants requests in process their grace period, and closes. The first reason wins. */
  close(reason: CloseReason): void {
    if (this.#closeReason !== undefined) return
    this.#closeReason = reason
    this.#delivery?.stop()
    this.#dropQueue()
    if (this.#inProcess === 0 || reason.grace === 0) this.#sendClose(reason)
    else setTimeout(() => this.#sendClose(reason), reason.grace).unref()
  }

  /** Terminates without a close frame. */
  terminate(): void {
    this.#deps.socket.terminate()
  }

  /** Releases all resources after the socket has closed. */
  closed(): void {
    this.#closeReason ??= closeReasons.protocolError
    this.#heartbeat.stop()
    this.#delivery?.stop()
    this.#dropQueue()
    this.#incoming.complete()()
    for (const release of this.#releases.splice(0)) release()
  }

  /** Closes the socket when its peer is dead, its session has expired, or it stays unbound. */
  check(): void {
    const { context, times } = this.#deps
    if (!this.#heartbeat.isAlive()) this.terminate()
    else if (this.#session !== undefined) {
      if (this.#session.expiresAt <= context.now()) this.close(closeReasons.sessionOver)
    } else if (this.#inProcess === 0 && this.#heartbeat.age() > times.bind) this.close(closeReasons.notBound)
  }

  #sendClose({ code, reason }: CloseReason): void {
    const { socket } = this.#deps
    // Resume, to read the client's close frame.
    if (socket.isPaused) socket.resume()
    void this.#writer.drain().then(() => {
      socket.close(code, reason)
      setTimeout(() => this.terminate(), closeTimeout).unref()
    })
  }

  #dropQueue(): void {
    for (const { release } of this.#queue.splice(0)) release()
  }

  /** Processes queued messages; applies back-pressure while some remain. */
  #processQueue(): void {
    const { socket } = this.#deps
    while (this.#inProcess < maxConcurrent && this.#writer.unsent < maxUnsent) {
      const message = this.#queue.shift()
      if (message === undefined) break
      void this.#process(message)
    }
    if (this.#queue.length > 0) socket.pause()
    else if (socket.isPaused) socket.resume()
  }

  async #process({ bytes, release }: QueuedMessage): Promise<void> {
    this.#inProcess += 1
    try {
      await this.#answer(bytes)
    } catch (error) {
      this.#recordFault(error)
      this.terminate()
    } finally {
      release()
      this.#inProcess -= 1
      if (this.#closeReason === undefined) this.#processQueue()
      else if (this.#inProcess === 0) this.#sendClose(this.#closeReason)
    }
  }

  async #answer(bytes: Uint8Array): Promise<void> {
    const { context, sender } = this.#deps
    const frame = findFrame(bytes, context.settings.maxFrame)
    if (frame !== undefined && this.#isForeign(frame)) {
      this.close(closeReasons.anotherSession)
      return
    }
    const effects = new SocketEffects()
    const answer = await exchange({ ...context, socket: effects }, bytes, sender)
    if (effects.session !== undefined) this.#bind(effects.session)
    // The previous subscription sends no event after this response.
    if (effects.subscription !== undefined) this.#delivery?.stop()
    void this.#send(messageOf(answer, frame))
    if (isFatal(answer)) this.close(closeReasons.protocolError)
    if (effects.subscription !== undefined) this.#deliver(effects.subscription)
  }

  /** A bound socket accepts only requests of its own session. */
  #isForeign(frame: Frame): boolean {
    if (this.#session === undefined) return false
    if (frame.kind === 'request') return !equalBytes(frame.sessionId, this.#session.id)
    return frame.kind === 'handshake-request'
  }

  #bind(session: SocketSession): void {
    if (this.#session !== undefined) {
      // For example two concurrent logins.
      if (!equalBytes(this.#session.id, session.id)) this.close(closeReasons.anotherSession)
      return
    }
    this.#session = session
    if (this.#closeReason !== undefined) return
    const { context, subscribers } = this.#deps
    const evict = (): void => this.close(closeReasons.tooMany)
    this.#releases.push(
      context.limits.sockets.bind(encodeBase64Url(session.id), session.user, evict),
      subscribers.add(this.#subscriber(session)),
    )
  }

  #subscriber(session: SocketSession): Subscriber {
    return {
      session,
      delivery: () => this.#delivery,
      onSessionOver: () => this.close(closeReasons.sessionOver),
    }
  }

  #deliver(from: number): void {
    const { store, outbox, now } = this.#deps.context
    const session = this.#session
    if (session === undefined || this.#closeReason !== undefined) return
    this.#delivery = new Delivery({
      from,
      read: (after, limit) => outbox.read(session.user, after, limit),
      isActive: async () => (await store.listActiveSessions([session.id], now())).length > 0,
      send: (event) => this.#sendEvent(session, event),
      onEnd: (reason) =>
        this.close(reason === 'session-over' ? closeReasons.sessionOver : closeReasons.subscribeAgain),
    })
    this.#delivery.notify()
  }

  async #sendEvent({ keys }: SocketSession, event: SequencedEvent): Promise<void> {
    const { context, observer } = this.#deps
    const nonce = context.random(suite1.boxNonceLength)
    const frame = sealEvent(context.primitives, keys, nonce, event)
    const sent = this.#send(frame)
    observer.onDelivered()
    if (this.#writer.unsent > maxUnsentEvents) await sent
    await this.#heartbeat.waitForActivity(frame.length)
  }

  /** An exchange returns refusals as answers, so every error is internal. */
  #recordFault(error: unknown): void {
    const fault = { kind: 'clear', status: 500, code: 'internal', step: 'frame', durationMs: 0 } as const
    const { context, sender } = this.#deps
    context.record({ requestId: randomUUID(), source: sender.source, ...fault, error })
  }

  /** Resolves when the bytes were accepted or the socket failed. */
  async #send(bytes: Uint8Array): Promise<void> {
    await this.#writer.send(bytes)
    if (this.#closeReason === undefined) this.#processQueue()
  }
}

/** `undefined` for bytes that are no frame: the exchange reports the error. */
function findFrame(bytes: Uint8Array, maxFrame: number): Frame | undefined {
  try {
    return parseFrame(bytes, maxFrame)
  } catch {
    return undefined
  }
}

/**
 * The message for an answer: a sealed frame, or frame 0x0f with a problem document. Requests are concurrent, so the
 * document names its request in `request_nonce`. The whole frame is an unauthenticated hint.
 *
 * @param frame the request; `undefined` when it could not be parsed
 */
function messageOf(answer: ExchangeAnswer, frame: Frame | undefined): Uint8Array {
  if (answer.kind === 'frame') return answer.bytes
  const members = JSON.parse(answer.problem.body) as Record<string, unknown>
  const nonce = frame !== undefined && 'nonce' in frame ? { request_nonce: encodeBase64Url(frame.nonce) } : {}
  return encodeFrame({ kind: 'refusal', problem: encodeUtf8(JSON.stringify({ ...members, ...nonce })) })
}

/** Whether the peer violates the protocol. */
function isFatal(answer: ExchangeAnswer): boolean {
  return answer.kind === 'clear' && ['malformed_frame', 'frame_too_large'].includes(answer.problem.code)
}
