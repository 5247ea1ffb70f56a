/** Event subscription: over a socket, or by polling. Every event is delivered once, in order. */
import type { EventFrame } from 'miniseal-protocol/frames/frame'
import { openEvent } from 'miniseal-protocol/frames/session-keys'
import type { Answer } from './answer.ts'
import { expectSuccess } from './answer.ts'
import type { Delay } from './clock.ts'
import { startDelay } from './clock.ts'
import type { Configurations } from './configurations.ts'
import type { Delivery } from './delivery.ts'
import type { Environment } from './environment.ts'
import { ChannelError } from './errors.ts'
import type { ChannelEvent, MissedEvents } from './event-stream.ts'
import { EventStream, parseEvent, parseEventList, parseEventPosition } from './event-stream.ts'
import type { RequestOptions } from './prepared-request.ts'
import { prepareRequest } from './prepared-request.ts'
import { backoff } from './retries.ts'
import type { SocketEnd } from './seal-socket.ts'
import { SealSocket } from './seal-socket.ts'
import type { Session } from './session.ts'
import type { SessionManager } from './session-manager.ts'

/** `polling`: no socket; events are requested periodically. */
export type SocketState = 'closed' | 'connecting' | 'open' | 'polling'
export type SocketStateListener = (state: SocketState) => void
export type EventListener = (event: ChannelEvent) => void
export type MissedListener = (missed: MissedEvents) => void

export interface EventHandle {
  /** Sequence number of the last delivered event, or the initial `after`. Pass it as `after` next time. */
  readonly last: number
  close(): void
}

/** Proxies close idle connections after a minute. */
const HEARTBEAT_MS = 25_000
const POLL_MS = 5000
/** Close code: the session has ended. */
const SESSION_ENDED = 4401
/** Close reason: the user has too many sockets. Reconnecting would close another device's socket. */
const TOO_MANY = 'too many sockets'
/** Delay after a final failure; ended early by network and app-show events. */
const LONG_POLL_DELAY_MS = 600_000

export class EventSubscription {
  private readonly environment: Environment
  private readonly configurations: Configurations
  private readonly sessionManager: SessionManager
  private readonly delivery: Delivery
  private readonly watchers = new Set<SocketStateListener>()
  private readonly stream = new EventStream()
  private state: SocketState = 'closed'
  private isRunning = false
  private isResubscribing = false
  private pollDelay: Delay | undefined
  private socket: SealSocket | undefined

  constructor(
    environment: Environment,
    configurations: Configurations,
    sessionManager: SessionManager,
    delivery: Delivery,
  ) {
    this.environment = environment
    this.configurations = configurations
    this.sessionManager = sessionManager
    this.delivery = delivery
  }

  watch(watcher: SocketStateListener): () => void {
    this.watchers.add(watcher)
    return () => {
      this.watchers.delete(watcher)
    }
  }

  listen(after: number, onEvent: EventListener, onMissed?: MissedListener): EventHandle {
    const reader = onMissed === undefined ? { onEvent } : { onEvent, onMissed }
    const cursor = this.stream.add(after, reader, () => {
      if (this.stream.isEmpty) this.stop()
    })
    if (!this.isRunning) void this.run()
    // The new reader may need events before the socket's position: reconnect and resubscribe.
    else this.socket?.close()
    return cursor
  }

  /** Closes every handle. */
  stop(): void {
    this.stream.clear()
    this.socket?.close()
    this.pollDelay?.end()
  }

  private async run(): Promise<void> {
    this.isRunning = true
    const stopListening = this.environment.events.listen(() => this.pollDelay?.end())
    for (let failures = 0; !this.stream.isEmpty; ) {
      const failure = await failureOf(() => this.runSocket())
      failures = failure === undefined ? 0 : failures + 1
      if (this.stream.isEmpty) break
      this.emitState('polling')
      const pollFailure = failures === 0 ? undefined : await failureOf(() => this.poll())
      await this.pollDelayAfter(failures, pollFailure)
    }
    stopListening()
    this.isRunning = false
    this.emitState('closed')
  }

  /** Waits until the next attempt, or until a network or app-show event. */
  private async pollDelayAfter(failures: number, pollFailure: ChannelError | undefined): Promise<void> {
    const { environment } = this
    const failure = pollFailure ?? new ChannelError('network', 'the socket is closed')
    // Retrying soon cannot change a final refusal.
    const isFinal = !failure.retryable || !environment.events.isOnline()
    const delay = await backoff(environment, failures + 1, failure).catch(() => POLL_MS)
    await this.pause(isFinal ? LONG_POLL_DELAY_MS : failures === 0 ? delay : Math.max(POLL_MS, delay))
  }

  private async pause(milliseconds: number): Promise<void> {
    this.pollDelay = startDelay(milliseconds)
    await this.pollDelay.done
    this.pollDelay = undefined
  }

  /** Opens a socket and resolves when it is closed. @throws ChannelError when it cannot be opened */
  private async runSocket(): Promise<void> {
    const { environment, sessionManager } = this
    const { transport } = environment
    if (!environment.events.isOnline()) throw new ChannelError('offline', 'no network')
    if (transport.connect === undefined) throw new ChannelError('unsupported', 'the transport has no sockets')
    const { maxFrame } = await this.configurations.current()
    const session = await sessionManager.open()
    const primitives = await environment.loadPrimitives()
    this.emitState('connecting')
    const receive = (frame: EventFrame): void => {
      this.receive(parseEvent(openEvent(primitives, session.keys, frame)), session, socket)
    }
    const socket = new SealSocket(environment, transport.connect.bind(transport), maxFrame, receive)
    this.socket = socket
    try {
      await socket.open()
      session.socket = socket
      await this.subscribe(session)
      this.emitState('open')
      await this.runHeartbeat(session, socket)
    } finally {
      if (session.socket === socket) session.socket = undefined
      this.socket = undefined
      socket.close()
      await this.handleClose(session, await socket.ended)
    }
  }

  /** Handles the service's close code and reason. */
  private async handleClose(session: Session, { code, reason }: SocketEnd): Promise<void> {
    if (code === SESSION_ENDED) this.sessionManager.end(session, 'ended')
    if (reason !== TOO_MANY) return
    this.emitState('polling')
    await this.pause(LONG_POLL_DELAY_MS)
  }

  /** Sends a sealed request periodically until the socket is closed: it detects dead connections and lost events. */
  private async runHeartbeat(session: Session, socket: SealSocket): Promise<void> {
    let isOpen = true
    void socket.ended.then(() => {
      isOpen = false
      this.pollDelay?.end()
    })
    while (isOpen) {
      await this.pause(HEARTBEAT_MS)
      if (isOpen) await this.fetchEvents(session)
    }
  }

  private async subscribe(session: Session): Promise<void> {
    const after = this.stream.position
    const answer = await this.exchange(session, {
      method: 'POST',
      path: '/events/subscription',
      body: { after },
    })
    this.stream.moveTo(parseEventPosition(answer.bytes), after)
  }

  /** `GET /events`, page by page. */
  private async fetchEvents(session: Session | undefined): Promise<void> {
    for (let isComplete = false; !isComplete && !this.stream.isEmpty; ) {
      const after = this.stream.position
      const path = `/events?after=${after}`
      const answer = await this.exchange(session, { method: 'GET', path, priority: 'low' })
      const list = parseEventList(answer.bytes)
      this.stream.moveTo(list, after)
      for (const event of list.events) this.stream.deliver(event)
      isComplete = list.events.length === 0 || this.stream.position >= list.last
    }
  }

  private async poll(): Promise<void> {
    if (this.environment.events.isOnline()) await this.fetchEvents(undefined)
  }

  private async exchange(session: Session | undefined, options: RequestOptions): Promise<Answer> {
    const prepared = await prepareRequest(this.environment, options)
    const answer = await (session === undefined
      ? this.delivery.send(prepared)
      : this.delivery.sendOn(session, prepared))
    return expectSuccess(answer)
  }

  /** Resubscribes from the last delivered event after a gap. */
  private receive(event: ChannelEvent, session: Session, socket: SealSocket): void {
    if (this.stream.deliver(event) || this.isResubscribing) return
    this.isResubscribing = true
    this.subscribe(session)
      .catch(() => socket.close())
      .then(() => {
        this.isResubscribing = false
      })
  }

  private emitState(state: SocketState): void {
    if (state === this.state) return
    this.state = state
    for (const watcher of [...this.watchers]) watcher(state)
  }
}

async function failureOf(work: () => Promise<unknown>): Promise<ChannelError | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    return error instanceof ChannelError
      ? error
      : new ChannelError('network', 'no connection', { cause: error })
  }
}
