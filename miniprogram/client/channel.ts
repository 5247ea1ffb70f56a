/** The public API: `createChannel` and the `Channel` it returns. */
import type { Answer } from './answer.ts'
import { expectSuccess } from './answer.ts'
import { Configurations } from './configurations.ts'
import { Delivery, isSessionOver } from './delivery.ts'
import { forgetDeviceKey } from './device-key.ts'
import type { ChannelOptions, Environment } from './environment.ts'
import { createEnvironment } from './environment.ts'
import type { ChannelError } from './errors.ts'
import type { EventHandle, EventListener, MissedListener, SocketStateListener } from './event-subscription.ts'
import { EventSubscription } from './event-subscription.ts'
import type { Cancellation, RequestOutcome } from './outcomes.ts'
import { cancelRequest, findOutcome } from './outcomes.ts'
import { assertOnline } from './phone-events.ts'
import type { RequestOptions, SendRequest } from './prepared-request.ts'
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
  const environment = createEnvironment(options)
  const configurations = new Configurations(environment)
  const sessionManager = new SessionManager(environment, configurations)
  const delivery = new Delivery(environment, configurations, sessionManager)
  const requests = new Requests(environment, sessionManager, delivery)
  const subscription = new EventSubscription(environment, configurations, sessionManager, delivery)
  const request: SendRequest = (options) => requests.send(options)
  const read = async (path: string): Promise<Uint8Array> =>
    expectSuccess(await request({ method: 'GET', path, cache: 'none' })).bytes
  const remove = async (path: string, id: string): Promise<void> => {
    expectSuccess(await request({ method: 'DELETE', path: path + encodeURIComponent(id) }))
  }
  return {
    request,
    outcome: (key) => findOutcome(environment, request, key),
    cancel: (key) => cancelRequest(environment, request, key),
    async login() {
      await assertOnline(environment.events)
      return (await sessionManager.open()).info
    },
    async logout({ forgetDevice = false } = {}) {
      const session = await sessionManager.find()
      try {
        if (session !== undefined) await endRemotely(environment, delivery, session)
      } finally {
        if (session !== undefined) sessionManager.end(session, 'logged-out')
        subscription.stop()
        await requests.clearCaches()
        if (forgetDevice) await forgetDeviceKey(environment)
      }
    },
    sessions: async () => parseSessionList(await read('/sessions')),
    revoke: (id) => remove('/sessions/', id),
    devices: async () => parseDeviceList(await read('/devices')),
    revokeDevice: (id) => remove('/devices/', id),
    receipt: (id) => fetchReceipt(environment, configurations, request, id),
    events: (after, onEvent, onMissed) => subscription.listen(after, onEvent, onMissed),
    get state() {
      return sessionManager.currentState
    },
    on(event: 'state' | 'socket', listener: StateListener & SocketStateListener) {
      return event === 'state' ? sessionManager.listen(listener) : subscription.watch(listener)
    },
  }
}

async function endRemotely(environment: Environment, delivery: Delivery, session: Session): Promise<void> {
  const prepared = await prepareRequest(environment, { method: 'DELETE', path: '/sessions/current' })
  try {
    expectSuccess(await delivery.sendOn(session, prepared))
  } catch (error) {
    if (!isSessionOver(error)) throw error
  }
}
