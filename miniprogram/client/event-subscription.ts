/** Events as they happen: over a socket while there is one, else by asking. Every event once, and in order. */
import type { EventFrame } from 'miniseal-protocol/frames/frame'
import { openEvent } from 'miniseal-protocol/frames/session-keys'
import type { Answer } from './answer.ts'
import type { Configurations } from './configurations.ts'
import type { Delivery } from './delivery.ts'
import type { Environment } from './environment.ts'
import { ChannelError } from './errors.ts'
import type { ChannelEvent } from './event-list.ts'
import { parseEvent, parseEventList, parseEventPosition } from './event-list.ts'
import type { MissedEvents } from './event-stream.ts'
import { EventStream } from './event-stream.ts'
import type { RequestOptions } from './prepared-request.ts'
import { prepareRequest } from './prepared-request.ts'
import { waitAfter } from './retries.ts'
import type { SocketEnd } from './seal-socket.ts'
import { SealSocket } from './seal-socket.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'
import type { Pause } from './timers.ts'
import { startPause } from './timers.ts'

/** `polling`: there is no socket, and the service is asked again and again. */
export type SocketState = 'closed' | 'connecting' | 'open' | 'polling'
export type SocketStateListener = (state: SocketState) => void
export type EventListener = (event: ChannelEvent) => void
export type MissedListener = (missed: MissedEvents) => void

export interface EventHandle {
  /** The last event that the listener was given, or where it started: pass it as `after` the next time. */
  readonly last: number
  close(): void
}

/** Below the minute after which proxies let a silent connection go. */
const HEARTBEAT_MS = 25_000
const POLL_MS = 5000
/** The socket is closed because its session is over. */
const SESSION_OVER = 4401
/** The reason with which the service closes the oldest of too many sockets: opening another one would close the next. */
const TOO_MANY = 'too many sockets'
/** Nothing is tried for so long, unless the phone has something to tell. */
const LONG_POLL_DELAY_MS = 600_000

export class Live {
  private readonly environment: Environment
  private readonly configurations: Configurations
  private readonly openSessions: Sessions
  private readonly delivery: Delivery
  private readonly watchers = new Set<SocketStateListener>()
  private readonly stream = new EventStream()
  private state: SocketState = 'closed'
  private isRunning = false
  private isResubscribing = false
  private pollDelay: Pause | undefined
  private socket: SealSocket | undefined

  constructor(
    environment: Environment,
    configurations: Configurations,
    openSessions: Sessions,
    delivery: Delivery,
  ) {
    this.environment = environment
    this.configurations = configurations
    this.openSessions = openSessions
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
    // What it still wants may be older than what the socket is at.
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
      const failure = await failureOf(() => this.connected())
      failures = failure === undefined ? 0 : failures + 1
      if (this.stream.isEmpty) break
      this.emitState('polling')
      const unheard = failures === 0 ? undefined : await failureOf(() => this.poll())
      await this.pollDelayAfter(failures, unheard)
    }
    stopListening()
    this.isRunning = false
    this.emitState('closed')
  }

  /** Until it is time to try again, or the phone has something to tell. */
  private async pollDelayAfter(failures: number, unheard: ChannelError | undefined): Promise<void> {
    const { environment } = this
    const failure = unheard ?? new ChannelError('network', 'the socket is closed')
    // Nothing but a person, or another network, can change what is refused for good.
    const isFinal = !failure.retryable || !environment.events.isOnline()
    const backoff = await waitAfter(environment, failures + 1, failure).catch(() => POLL_MS)
    await this.pause(isFinal ? LONG_POLL_DELAY_MS : failures === 0 ? backoff : Math.max(POLL_MS, backoff))
  }

  private async pause(milliseconds: number): Promise<void> {
    this.pollDelay = startPause(milliseconds)
    await this.pollDelay.over
    this.pollDelay = undefined
  }

  /** Resolves when a socket was open and is closed now. @throws ChannelError when none could be had. */
  private async connected(): Promise<void> {
    const { environment, openSessions } = this
    const { transport } = environment
    if (!environment.events.isOnline()) throw new ChannelError('offline', 'there is no network')
    if (transport.connect === undefined) throw new ChannelError('unsupported', 'there are no sockets here')
    const { maxFrame } = await this.configurations.current()
    const session = await openSessions.open()
    const primitives = await environment.loadPrimitives()
    this.emitState('connecting')
    const receive = (frame: EventFrame): void => {
      this.receive(parseEvent(openEvent(primitives, session.keys, frame)), session, socket)
    }
    const socket = new SealSocket(environment, transport.connect.bind(transport), maxFrame, receive)
    this.socket = socket
    try {
      await socket.open()
      session.wire = socket
      await this.subscribe(session)
      this.emitState('open')
      await this.runHeartbeat(session, socket)
    } finally {
      if (session.wire === socket) session.wire = undefined
      this.socket = undefined
      socket.close()
      await this.applyLimits(session, await socket.ended)
    }
  }

  /** What the service meant by closing the socket. */
  private async applyLimits(session: Session, { code, reason }: SocketEnd): Promise<void> {
    if (code === SESSION_OVER) this.openSessions.end(session, 'ended')
    if (reason !== TOO_MANY) return
    this.emitState('polling')
    await this.pause(LONG_POLL_DELAY_MS)
  }

  /** Asks in a sealed request whether the other end is still there, until it is not. */
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

  /** `GET /events`, which also finds what a socket forgot to bring. */
  private async fetchEvents(session: Session | undefined): Promise<void> {
    for (let isComplete = false; !isComplete && !this.stream.isEmpty; ) {
      const after = this.stream.position
      const path = `/events?after=${after}`
      const answer = await this.exchange(session, { method: 'GET', path, priority: 'low' })
      const list = parseEventList(answer.bytes)
      this.stream.moveTo(list, after)
      for (const event of list.events) this.stream.take(event)
      isComplete = list.events.length === 0 || this.stream.position >= list.last
    }
  }

  private async poll(): Promise<void> {
    if (this.environment.events.isOnline()) await this.fetchEvents(undefined)
  }

  private async exchange(session: Session | undefined, options: RequestOptions): Promise<Answer> {
    const { environment, delivery } = this
    await environment.random.ready()
    const prepared = prepareRequest(environment, options)
    const answer = await (session === undefined
      ? delivery.send(prepared)
      : delivery.sendOn(session, prepared))
    if (answer.status === 200) return answer
    throw new ChannelError('unexpected_answer', 'the service did not answer as agreed', {
      status: answer.status,
    })
  }

  /** After a gap nothing is certain but the last event before it: from there once more. */
  private receive(event: ChannelEvent, session: Session, socket: SealSocket): void {
    if (this.stream.take(event) || this.isResubscribing) return
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
