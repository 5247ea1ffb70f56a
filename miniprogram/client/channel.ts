/** The public API: `createChannel` and the `Channel` it returns. */
import type { Answer } from './answer.ts'
import { Configurations } from './configurations.ts'
import { Delivery, isSessionOver } from './delivery.ts'
import { forgetDeviceKey } from './device-key.ts'
import type { ChannelOptions, Environment } from './environment.ts'
import { createEnvironment } from './environment.ts'
import { ChannelError } from './errors.ts'
import type { EventHandle, EventListener, MissedListener, SocketStateListener } from './event-subscription.ts'
import { EventSubscription } from './event-subscription.ts'
import type { Cancellation, RequestOutcome } from './outcomes.ts'
import { cancelRequest, findOutcome } from './outcomes.ts'
import { assertOnline } from './phone-events.ts'
import type { RequestOptions } from './prepared-request.ts'
import { prepareRequest } from './prepared-request.ts'
import type { Receipt } from './receipt.ts'
import { fetchReceipt } from './receipt.ts'
import { Requests } from './requests.ts'
import type { Session, SessionInfo } from './session.ts'
import type { DeviceSummary, SessionSummary } from './session-list.ts'
import { parseDeviceList, parseSessionList } from './session-list.ts'
import type { ChannelState, StateListener } from './session-manager.ts'
import { SessionManager } from './session-manager.ts'

export interface LogoutOptions {
  /** Also deletes the device key: the next login enrolls a new device. */
  readonly forgetDevice?: boolean
}

/** All methods reject with {@link ChannelError} only. */
export interface Channel {
  /**
   * Sends a request. Logs in first when there is no session.
   *
   * Rejects when the service refuses the request. An error status from the backend is an answer.
   */
  request(options: RequestOptions): Promise<Answer>
  /**
   * Looks up the outcome of an earlier unsafe request of this user. Has no effect.
   *
   * @param key the request's idempotency key, or `idempotencyKey` of its error
   */
  outcome(key: string): Promise<RequestOutcome>
  /**
   * Cancels a request. Unless it has run or is running, it never will, even if a copy arrives later. Idempotent.
   *
   * Rejects with `outcome_unknown` when no answer arrives; call it again.
   */
  cancel(key: string): Promise<Cancellation>
  /** Logs in ahead of the first request, for example while the first page loads. */
  login(): Promise<SessionInfo>
  /** Ends the session. Rejects when the service could not be reached; the local session ends in any case. */
  logout(options?: LogoutOptions): Promise<void>
  /** Lists the user's sessions. */
  sessions(): Promise<readonly SessionSummary[]>
  /** Ends one of the user's sessions. */
  revoke(sessionId: string): Promise<void>
  /** Lists the user's active devices. */
  devices(): Promise<readonly DeviceSummary[]>
  /** Revokes one of the user's devices: ends its sessions and rejects its key. */
  revokeDevice(deviceId: string): Promise<void>
  /**
   * Calls `onEvent` for every event of the user after the sequence number `after`, once and in order, until the handle
   * is closed. Uses a socket, or polling while there is none.
   *
   * @param after 0 for all events that the service retains
   * @param onMissed called for events that the service no longer retains; reload the state they describe
   */
  events(after: number, onEvent: EventListener, onMissed?: MissedListener): EventHandle
  /**
   * Fetches and verifies the receipt of an exchange. Waits up to five seconds for its entry to be included in the log.
   *
   * @param id `receipt` of the answer
   */
  receipt(id: string): Promise<Receipt>
  /** The current state, as passed to `state` listeners. */
  readonly state: ChannelState
  /** @returns a function that removes the listener. */
  on(event: 'state', listener: StateListener): () => void
  on(event: 'socket', listener: SocketStateListener): () => void
}

/**
 * Creates a channel to one service. Sends nothing before the first call.
 *
 * @throws ChannelError `request_invalid` or `unsupported`, see `createEnvironment`.
 */
export function createChannel(options: ChannelOptions): Channel {
  return new SealedChannel(createEnvironment(options))
}

class SealedChannel implements Channel {
  private readonly environment: Environment
  private readonly configurations: Configurations
  private readonly sessionManager: SessionManager
  private readonly delivery: Delivery
  private readonly requests: Requests
  private readonly subscription: EventSubscription

  constructor(environment: Environment) {
    const configurations = new Configurations(environment)
    this.environment = environment
    this.configurations = configurations
    this.sessionManager = new SessionManager(environment, configurations)
    this.delivery = new Delivery(environment, configurations, this.sessionManager)
    this.requests = new Requests(environment, this.sessionManager, this.delivery)
    this.subscription = new EventSubscription(environment, configurations, this.sessionManager, this.delivery)
  }

  get state(): ChannelState {
    return this.sessionManager.currentState
  }

  request(options: RequestOptions): Promise<Answer> {
    return this.requests.send(options)
  }

  outcome(key: string): Promise<RequestOutcome> {
    return findOutcome(this.environment, this.send, key)
  }

  cancel(key: string): Promise<Cancellation> {
    return cancelRequest(this.environment, this.send, key)
  }

  async login(): Promise<SessionInfo> {
    await assertOnline(this.environment.events, false)
    return (await this.sessionManager.open()).info
  }

  async logout({ forgetDevice = false }: LogoutOptions = {}): Promise<void> {
    const session = await this.sessionManager.find()
    try {
      if (session !== undefined) await this.endRemotely(session)
    } finally {
      if (session !== undefined) this.sessionManager.end(session, 'logged-out')
      this.subscription.stop()
      await this.requests.clearCaches()
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
    return fetchReceipt(this.environment, this.configurations, this.send, id)
  }

  events(after: number, onEvent: EventListener, onMissed?: MissedListener): EventHandle {
    return this.subscription.listen(after, onEvent, onMissed)
  }

  on(event: 'state' | 'socket', listener: StateListener | SocketStateListener): () => void {
    return event === 'state'
      ? this.sessionManager.listen(listener as StateListener)
      : this.subscription.watch(listener as SocketStateListener)
  }

  private readonly send = (options: RequestOptions): Promise<Answer> => this.requests.send(options)

  private async read(path: string): Promise<Answer> {
    return expectSuccess(await this.request({ method: 'GET', path, cache: 'none' }))
  }

  private async remove(path: string): Promise<void> {
    expectSuccess(await this.request({ method: 'DELETE', path }))
  }

  private async endRemotely(session: Session): Promise<void> {
    const { environment } = this
    await environment.random.ready()
    const prepared = prepareRequest(environment, { method: 'DELETE', path: '/sessions/current' })
    try {
      expectSuccess(await this.delivery.sendOn(session, prepared))
    } catch (error) {
      if (!isSessionOver(error)) throw error
    }
  }
}

function expectSuccess(answer: Answer): Answer {
  if (answer.status < 300) return answer
  throw new ChannelError('unexpected_answer', 'unexpected status', {
    status: answer.status,
  })
}
