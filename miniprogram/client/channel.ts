/** The channel: every request logged in, signed, sealed, answered, verified, and at most once repeated per remedy. */
import type { Answer } from './answer.ts'
import { Configurations } from './configurations.ts'
import { forgetDeviceKey } from './device-key.ts'
import type { ChannelOptions, Environment } from './environment.ts'
import { createEnvironment } from './environment.ts'
import type { ChannelErrorCode } from './error-texts.ts'
import { ChannelError } from './errors.ts'
import { exchange } from './exchange.ts'
import { correctClock } from './login.ts'
import type { PreparedRequest, RequestOptions } from './prepared-request.ts'
import { prepareRequest } from './prepared-request.ts'
import type { Remedy } from './remedies.ts'
import { withRemedies } from './remedies.ts'
import { Renewal } from './renewal.ts'
import type { Session, SessionInfo } from './session.ts'
import type { SessionSummary } from './session-list.ts'
import { parseSessionList } from './session-list.ts'
import type { StateListener } from './sessions.ts'
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
  /** Opens the session now, for example while the first page loads. */
  login(): Promise<SessionInfo>
  /** Ends the session, here in any case; rejects when the service could not be told. The next request logs in again. */
  logout(options?: LogoutOptions): Promise<void>
  /** The user's devices and sessions, as the service lists them. */
  sessions(): Promise<readonly SessionSummary[]>
  /** Ends one of the user's sessions. */
  revoke(sessionId: string): Promise<void>
  /** @returns a function that ends the listening. */
  on(event: 'state', listener: StateListener): () => void
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
  private readonly renewal: Renewal

  constructor(environment: Environment) {
    this.environment = environment
    this.configurations = new Configurations(environment)
    this.openSessions = new Sessions(environment, this.configurations)
    this.renewal = new Renewal(environment, this.configurations)
  }

  async request(options: RequestOptions): Promise<Answer> {
    const prepared = await this.prepare(options)
    try {
      return await this.send(prepared)
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error
      throw error.with({ idempotencyKey: prepared.idempotencyKey })
    }
  }

  async login(): Promise<SessionInfo> {
    return (await this.openSessions.open()).info
  }

  async logout({ forgetDevice = false }: LogoutOptions = {}): Promise<void> {
    const session = await this.openSessions.find()
    try {
      if (session !== undefined) await this.endRemotely(session)
    } finally {
      if (session !== undefined) this.openSessions.end(session)
      if (forgetDevice) await forgetDeviceKey(this.environment)
    }
  }

  async sessions(): Promise<readonly SessionSummary[]> {
    return parseSessionList(expectSuccess(await this.request({ method: 'GET', path: '/sessions' })).bytes)
  }

  async revoke(sessionId: string): Promise<void> {
    const path = `/sessions/${encodeURIComponent(sessionId)}`
    expectSuccess(await this.request({ method: 'DELETE', path }))
  }

  on(_event: 'state', listener: StateListener): () => void {
    return this.openSessions.listen(listener)
  }

  private async prepare(options: RequestOptions): Promise<PreparedRequest> {
    await this.environment.random.ready()
    return prepareRequest(this.environment, options)
  }

  /** On the open session and, when that turns out to be over, once more on a new one. */
  private async send(prepared: PreparedRequest): Promise<Answer> {
    const session = await this.openForRequest()
    try {
      return await this.sendOn(session, prepared)
    } catch (error) {
      if (!isSessionOver(error)) throw error
      this.openSessions.end(session)
      return this.sendAgain(prepared, error)
    }
  }

  private async sendAgain(prepared: PreparedRequest, first: ChannelError): Promise<Answer> {
    try {
      return await this.sendOn(await this.openForRequest(), prepared)
    } catch (error) {
      // What happens to the second try says nothing about the first one.
      if (first.outcome === 'unknown' && error instanceof ChannelError)
        throw error.with({ outcome: 'unknown' })
      throw error
    }
  }

  private async openForRequest(): Promise<Session> {
    try {
      return await this.openSessions.open()
    } catch (error) {
      throw error instanceof ChannelError ? error.with({ outcome: 'none' }) : error
    }
  }

  private sendOn(session: Session, prepared: PreparedRequest): Promise<Answer> {
    const { environment, configurations, renewal } = this
    let token = session.token
    return withRemedies(
      async () => {
        await renewal.keepFresh(session)
        token = session.token
        return exchange(environment, configurations, session, prepared)
      },
      new Map<ChannelErrorCode, Remedy>([
        ['window_invalid', (error) => correctClock(environment, error)],
        [
          'token_expired',
          async () => {
            // Another request may have renewed it meanwhile.
            if (session.token === token) await renewal.renew(session)
            return true
          },
        ],
      ]),
    )
  }

  private async endRemotely(session: Session): Promise<void> {
    try {
      expectSuccess(
        await this.sendOn(session, await this.prepare({ method: 'DELETE', path: '/sessions/current' })),
      )
    } catch (error) {
      if (!isSessionOver(error)) throw error
    }
  }
}

/** `unknown_session` comes in the clear, so anyone can send it: it costs one login, and nothing is taken as refused. */
function isSessionOver(error: unknown): error is ChannelError {
  return error instanceof ChannelError && (error.code === 'session_ended' || error.code === 'unknown_session')
}

function expectSuccess(answer: Answer): Answer {
  if (answer.status < 300) return answer
  throw new ChannelError('unexpected_answer', 'the service did not answer as agreed', {
    status: answer.status,
  })
}
