/** The channel: every request logged in, signed, sealed, answered, verified, and at most once repeated per remedy. */
import type { Answer } from './answer.ts'
import { Configurations } from './configurations.ts'
import { Delivery, isSessionOver } from './delivery.ts'
import { forgetDeviceKey } from './device-key.ts'
import type { DeviceSummary } from './device-list.ts'
import { parseDeviceList } from './device-list.ts'
import type { ChannelOptions, Environment } from './environment.ts'
import { createEnvironment } from './environment.ts'
import { ChannelError } from './errors.ts'
import type { EventHandle, EventListener, MissedListener, SocketStateListener } from './event-subscription.ts'
import { Live } from './event-subscription.ts'
import type { Cancellation, RequestOutcome } from './outcomes.ts'
import { cancelRequest, findOutcome } from './outcomes.ts'
import { assertOnline } from './phone-events.ts'
import type { RequestOptions } from './prepared-request.ts'
import { prepareRequest } from './prepared-request.ts'
import type { Receipt } from './receipt.ts'
import { fetchReceipt } from './receipts.ts'
import { Requests } from './requests.ts'
import type { Session, SessionInfo } from './session.ts'
import type { SessionSummary } from './session-list.ts'
import { parseSessionList } from './session-list.ts'
import type { ChannelState, StateListener } from './sessions.ts'
import { Sessions } from './sessions.ts'

export interface LogoutOptions {
  /** Removes the device key too: the next login enrols this phone as a new device. */
  readonly forgetDevice?: boolean
}

/** Failures are always {@link ChannelError}s. */
export interface Channel {
  /**
   * Sends a request, after a login where none is open.
   *
   * Rejects when the service refuses; an error status of the backend's own is an answer.
   */
  request(options: RequestOptions): Promise<Answer>
  /**
   * What came of a request of this user with an effect, by its idempotency key. Changes nothing.
   *
   * @param key as the request had it, or `idempotencyKey` of its error
   */
  outcome(key: string): Promise<RequestOutcome>
  /**
   * Gives a request up: unless it has run or is running, the service makes sure that it never will, whatever of it is
   * still under way. Can be repeated.
   *
   * Rejects with `outcome_unknown` when no answer came: ask again.
   */
  cancel(key: string): Promise<Cancellation>
  /** Opens the session now, for example while the first page loads. */
  login(): Promise<SessionInfo>
  /** Ends the session, here in any case; rejects when the service could not be told. The next request logs in again. */
  logout(options?: LogoutOptions): Promise<void>
  /** The user's sessions, as the service lists them. */
  sessions(): Promise<readonly SessionSummary[]>
  /** Ends one of the user's sessions. */
  revoke(sessionId: string): Promise<void>
  /** The user's devices in use. */
  devices(): Promise<readonly DeviceSummary[]>
  /** Ends every session of one of the user's devices, and refuses its key from now on. */
  revokeDevice(deviceId: string): Promise<void>
  /**
   * Calls `onEvent` with every event of the user after the sequence number `after`, each once and in order, as long as
   * the handle is not closed. Over a socket where there is one, else by asking again and again.
   *
   * @param after 0 for everything that the service still has
   * @param onMissed events that the service does not keep any more: what they told has to be loaded anew
   */
  events(after: number, onEvent: EventListener, onMissed?: MissedListener): EventHandle
  /**
   * The receipt of an exchange, checked here step by step. Waits up to five seconds for an entry that is not in the log
   * yet.
   *
   * @param id `receipt` of the exchange's answer
   */
  receipt(id: string): Promise<Receipt>
  /** What a listener of `state` would have been told last. */
  readonly state: ChannelState
  /** @returns a function that ends the listening. */
  on(event: 'state', listener: StateListener): () => void
  on(event: 'socket', listener: SocketStateListener): () => void
}

/**
 * A channel to one service. Nothing is sent before the first call.
 *
 * @throws ChannelError `request_invalid` or `unsupported`, see `createEnvironment`.
 */
export function createChannel(options: ChannelOptions): Channel {
  return new SealedChannel(createEnvironment(options))
}

class SealedChannel implements Channel {
  private readonly environment: Environment
  private readonly configurations: Configurations
  private readonly openSessions: Sessions
  private readonly delivery: Delivery
  private readonly requests: Requests
  private readonly live: Live

  constructor(environment: Environment) {
    const configurations = new Configurations(environment)
    this.environment = environment
    this.configurations = configurations
    this.openSessions = new Sessions(environment, configurations)
    this.delivery = new Delivery(environment, configurations, this.openSessions)
    this.requests = new Requests(environment, this.openSessions, this.delivery)
    this.live = new Live(environment, configurations, this.openSessions, this.delivery)
  }

  get state(): ChannelState {
    return this.openSessions.currentState
  }

  request(options: RequestOptions): Promise<Answer> {
    return this.requests.send(options)
  }

  outcome(key: string): Promise<RequestOutcome> {
    return findOutcome(this.environment, this.requests, key)
  }

  cancel(key: string): Promise<Cancellation> {
    return cancelRequest(this.environment, this.requests, key)
  }

  async login(): Promise<SessionInfo> {
    await assertOnline(this.environment.events, false)
    return (await this.openSessions.open()).info
  }

  async logout({ forgetDevice = false }: LogoutOptions = {}): Promise<void> {
    const session = await this.openSessions.find()
    try {
      if (session !== undefined) await this.endRemotely(session)
    } finally {
      if (session !== undefined) this.openSessions.end(session, 'logged-out')
      this.live.stop()
      await this.requests.forget()
      if (forgetDevice) await forgetDeviceKey(this.environment)
    }
  }

  async sessions(): Promise<readonly SessionSummary[]> {
    return parseSessionList((await this.read('/sessions')).bytes)
  }

  async revoke(sessionId: string): Promise<void> {
    await this.remove(`/sessions/${encodeURIComponent(sessionId)}`)
  }

  async devices(): Promise<readonly DeviceSummary[]> {
    return parseDeviceList((await this.read('/devices')).bytes)
  }

  async revokeDevice(deviceId: string): Promise<void> {
    await this.remove(`/devices/${encodeURIComponent(deviceId)}`)
  }

  receipt(id: string): Promise<Receipt> {
    return fetchReceipt(this.environment, this.configurations, this.requests, id)
  }

  events(after: number, onEvent: EventListener, onMissed?: MissedListener): EventHandle {
    return this.live.listen(after, onEvent, onMissed)
  }

  on(event: 'state' | 'socket', listener: StateListener | SocketStateListener): () => void {
    return event === 'state'
      ? this.openSessions.listen(listener as StateListener)
      : this.live.watch(listener as SocketStateListener)
  }

  private async read(path: string): Promise<Answer> {
    return expectSuccess(await this.request({ method: 'GET', path, cache: 'none' }))
  }

  private async remove(path: string): Promise<void> {
    expectSuccess(await this.request({ method: 'DELETE', path }))
  }

  private async endRemotely(session: Session): Promise<void> {
    const { environment } = this
    await environment.random.ready()
    const ending = prepareRequest(environment, { method: 'DELETE', path: '/sessions/current' })
    try {
      expectSuccess(await this.delivery.sendOn(session, ending))
    } catch (error) {
      if (!isSessionOver(error)) throw error
    }
  }
}

function expectSuccess(answer: Answer): Answer {
  if (answer.status < 300) return answer
  throw new ChannelError('unexpected_answer', 'the service did not answer as agreed', {
    status: answer.status,
  })
}
