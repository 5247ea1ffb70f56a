/** One socket of the channel (protocol, section 4, "Over a socket"): every binary message is one frame. */
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { equalBytes } from 'miniseal-protocol/bytes'
import type { Frame } from 'miniseal-protocol/frames/frame'
import { parseFrame } from 'miniseal-protocol/frames/frame'
import type { SequencedEvent } from 'miniseal-protocol/frames/session-keys'
import { sealEvent } from 'miniseal-protocol/frames/session-keys'
import { suite1 } from 'miniseal-protocol/primitives/suite'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { WebSocket } from 'ws'
import type { ExchangeContext } from '../channel/context.ts'
import { exchange } from '../channel/exchange.ts'
import { Delivery } from '../events/delivery.ts'
import type { SocketSession } from '../events/socket-turn.ts'
import { SocketTurn } from '../events/socket-turn.ts'
import type { Subscriber, Subscribers } from '../events/subscribers.ts'
import type { Sender } from '../limits/source.ts'
import { IncomingMessageBuffer } from './arriving-message.ts'
import { isFatal, messageOf } from './socket-answer.ts'
import { Heartbeat } from './socket-heartbeat.ts'
import type { SocketEnd, SocketObserver, SocketTimes } from './socket-settings.ts'
import { closeTimeout, ends, maxAtWork, maxUnsent, maxUnsentEvents } from './socket-settings.ts'
import { SocketWriter } from './socket-writer.ts'

export interface SocketParts {
  readonly context: ExchangeContext
  readonly socket: WebSocket
  /** What the WebSocket runs on. */
  readonly connection: Socket
  /** Who opened it. */
  readonly sender: Sender
  readonly subscribers: Subscribers
  readonly times: SocketTimes
  readonly observer: SocketObserver
}

/** A message and what gives its room back. */
interface Message {
  readonly bytes: Uint8Array
  readonly release: () => void
}

export class ChannelSocket {
  readonly #parts: SocketParts
  readonly #arriving: IncomingMessageBuffer
  readonly #writer: SocketWriter
  readonly #heartbeat: Heartbeat
  /** They wait until fewer are at work, or until the client has read its answers. */
  readonly #waiting: Message[] = []
  readonly #releases: (() => void)[] = []
  #session: SocketSession | undefined
  #delivery: Delivery | undefined
  #end: SocketEnd | undefined
  #atWork = 0

  constructor(parts: SocketParts) {
    const { context, connection, sender, socket, times } = parts
    const { bodies } = context.limits
    this.#parts = parts
    this.#writer = new SocketWriter(socket)
    this.#heartbeat = new Heartbeat(socket, this.#writer, times)
    this.#arriving = new IncomingMessageBuffer(bodies, sender.source, context.settings.maxFrame, () =>
      this.cut(),
    )
    // Before the WebSocket's own listener: what completes a message is counted first.
    connection.prependListener('data', ({ length }: Uint8Array) => {
      this.#arriving.add(length, this.#session === undefined)
    })
  }

  /** Takes one message. Attacker-controlled. */
  receive(message: string | Uint8Array): void {
    this.#heartbeat.recordActivity()
    const release = this.#arriving.take()
    if (typeof message === 'string') this.end(ends.protocolError)
    if (typeof message === 'string' || this.#end !== undefined) {
      release()
      return
    }
    this.#waiting.push({ bytes: message, release })
    this.#workOn()
  }

  /** Takes nothing more, waits a while for what is at work, and closes. The first reason stays. */
  end(end: SocketEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#delivery?.stop()
    this.#dropWaiting()
    if (this.#atWork === 0 || end.patience === 0) this.#close(end)
    else setTimeout(() => this.#close(end), end.patience).unref()
  }

  /** Ends it without a word: whoever is there does not listen. */
  cut(): void {
    this.#parts.socket.terminate()
  }

  /** It is closed: gives everything back. */
  closed(): void {
    this.#end ??= ends.protocolError
    this.#heartbeat.stop()
    this.#delivery?.stop()
    this.#dropWaiting()
    this.#arriving.take()()
    for (const release of this.#releases.splice(0)) release()
  }

  /** Looks after the times of the socket and of its session. */
  look(): void {
    const { context, times } = this.#parts
    if (!this.#heartbeat.isAlive()) this.cut()
    else if (this.#session !== undefined) {
      if (this.#session.expiresAt <= context.now()) this.end(ends.sessionOver)
    } else if (this.#atWork === 0 && this.#heartbeat.age() > times.unbound) this.end(ends.notBound)
  }

  #close({ code, reason }: SocketEnd): void {
    const { socket } = this.#parts
    // So that the other end's answer is read.
    if (socket.isPaused) socket.resume()
    void this.#writer.empty().then(() => {
      socket.close(code, reason)
      setTimeout(() => this.cut(), closeTimeout).unref()
    })
  }

  #dropWaiting(): void {
    for (const { release } of this.#waiting.splice(0)) release()
  }

  /** Takes up messages that wait; stops reading while some have to. */
  #workOn(): void {
    const { socket } = this.#parts
    while (this.#atWork < maxAtWork && this.#writer.unsent < maxUnsent) {
      const message = this.#waiting.shift()
      if (message === undefined) break
      void this.#work(message)
    }
    if (this.#waiting.length > 0) socket.pause()
    else if (socket.isPaused) socket.resume()
  }

  async #work({ bytes, release }: Message): Promise<void> {
    this.#atWork += 1
    try {
      await this.#answer(bytes)
    } catch (error) {
      this.#recordFault(error)
      this.cut()
    } finally {
      release()
      this.#atWork -= 1
      if (this.#end === undefined) this.#workOn()
      else if (this.#atWork === 0) this.#close(this.#end)
    }
  }

  async #answer(bytes: Uint8Array): Promise<void> {
    const { context, sender } = this.#parts
    const frame = findFrame(bytes, context.settings.maxFrame)
    if (frame !== undefined && this.#isForeign(frame)) {
      this.end(ends.anotherSession)
      return
    }
    const turn = new SocketTurn()
    const answer = await exchange({ ...context, socket: turn }, bytes, sender)
    if (turn.session !== undefined) this.#bind(turn.session)
    // What was subscribed before sends nothing after this answer.
    if (turn.subscription !== undefined) this.#delivery?.stop()
    void this.#send(messageOf(answer, frame))
    if (isFatal(answer)) this.end(ends.protocolError)
    if (turn.subscription !== undefined) this.#deliver(turn.subscription)
  }

  /** A bound socket takes requests of its own session, and no logins. */
  #isForeign(frame: Frame): boolean {
    if (this.#session === undefined) return false
    if (frame.kind === 'request') return !equalBytes(frame.sessionId, this.#session.id)
    return frame.kind === 'handshake-request'
  }

  #bind(session: SocketSession): void {
    if (this.#session !== undefined) {
      // Two logins that overlapped, say.
      if (!equalBytes(this.#session.id, session.id)) this.end(ends.anotherSession)
      return
    }
    this.#session = session
    if (this.#end !== undefined) return
    const { context, subscribers } = this.#parts
    const tooMany = (): void => this.end(ends.tooMany)
    this.#releases.push(
      context.limits.sockets.bind(encodeBase64Url(session.id), session.user, tooMany),
      subscribers.add(this.#subscriber(session)),
    )
  }

  #subscriber(session: SocketSession): Subscriber {
    return {
      session,
      delivery: () => this.#delivery,
      sessionOver: () => this.end(ends.sessionOver),
    }
  }

  #deliver(from: number): void {
    const { store, outbox, now } = this.#parts.context
    const session = this.#session
    if (session === undefined || this.#end !== undefined) return
    this.#delivery = new Delivery({
      from,
      read: (after, limit) => outbox.read(session.user, after, limit),
      isActive: async () => (await store.listActiveSessions([session.id], now())).length > 0,
      send: (event) => this.#sendEvent(session, event),
      onEnd: (why) => this.end(why === 'session-over' ? ends.sessionOver : ends.subscribeAgain),
    })
    this.#delivery.notify()
  }

  async #sendEvent({ keys }: SocketSession, event: SequencedEvent): Promise<void> {
    const { context, observer } = this.#parts
    const nonce = context.random(suite1.boxNonceLength)
    const frame = sealEvent(context.primitives, keys, nonce, event)
    const sent = this.#send(frame)
    observer.onDelivered()
    if (this.#writer.unsent > maxUnsentEvents) await sent
    await this.#heartbeat.waitForActivity(frame.length)
  }

  /** A fault of ours: an exchange refuses, and does not throw. */
  #recordFault(error: unknown): void {
    const fault = { kind: 'clear', status: 500, code: 'internal', step: 'frame', durationMs: 0 } as const
    const { context, sender } = this.#parts
    context.record({ requestId: randomUUID(), source: sender.source, ...fault, error })
  }

  /** Resolves when the bytes are on their way, or never will be. */
  async #send(bytes: Uint8Array): Promise<void> {
    await this.#writer.send(bytes)
    if (this.#end === undefined) this.#workOn()
  }
}

/** The exchange says what is wrong with bytes that are no frame. */
function findFrame(bytes: Uint8Array, maxFrame: number): Frame | undefined {
  try {
    return parseFrame(bytes, maxFrame)
  } catch {
    return undefined
  }
}
