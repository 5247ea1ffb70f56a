/** Sends requests on the session: renews its token in time, recovers from clock skew and from an ended session. */
import type { Answer } from './answer.ts'
import { expectSuccess } from './answer.ts'
import type { Configurations } from './configurations.ts'
import type { Environment } from './environment.ts'
import { ChannelError } from './errors.ts'
import { exchange } from './exchange.ts'
import { correctClock } from './login.ts'
import type { PreparedRequest } from './prepared-request.ts'
import { prepareRequest } from './prepared-request.ts'
import type { RecoverySteps } from './retries.ts'
import { withRecovery } from './retries.ts'
import type { Session } from './session.ts'
import { parseTokenAnswer } from './session.ts'
import type { SessionManager } from './session-manager.ts'

export class Delivery {
  private readonly environment: Environment
  private readonly configurations: Configurations
  private readonly sessionManager: SessionManager

  constructor(environment: Environment, configurations: Configurations, sessionManager: SessionManager) {
    this.environment = environment
    this.configurations = configurations
    this.sessionManager = sessionManager
  }

  /**
   * Sends on the current session. If the service has ended it, logs in again and retries once.
   * @throws ChannelError
   */
  async send(prepared: PreparedRequest): Promise<Answer> {
    const session = await this.sessionManager.open()
    try {
      return await this.sendOn(session, prepared)
    } catch (error) {
      if (!isSessionOver(error)) throw error
      this.sessionManager.end(session, 'ended')
    }
    return this.sendOn(await this.sessionManager.open(), prepared)
  }

  /** Sends on this session only. @throws ChannelError */
  sendOn(session: Session, prepared: PreparedRequest): Promise<Answer> {
    let token: string
    const attempt = async (): Promise<Answer> => {
      if (session.needsToken(this.environment.clock.seconds())) await this.renewToken(session)
      token = session.token
      return exchange(this.environment, this.configurations, session, prepared)
    }
    return withRecovery(attempt, {
      ...this.clockRecovery,
      // A concurrent request may have renewed it.
      token_expired: () => session.token === token && this.renewToken(session),
    })
  }

  private get clockRecovery(): RecoverySteps {
    return { window_invalid: (error) => correctClock(this.environment, error) }
  }

  /**
   * Fetches the next token; concurrent callers share one renewal. The service accepts an expired token here.
   * @throws ChannelError with outcome `none`: the request that needs the token was not sent.
   */
  private renewToken(session: Session): Promise<void> {
    session.renewal ??= this.fetchToken(session)
      .catch((error: unknown) => {
        throw error instanceof ChannelError ? error.with({ outcome: 'none' }) : error
      })
      .finally(() => {
        session.renewal = undefined
      })
    return session.renewal
  }

  private async fetchToken(session: Session): Promise<void> {
    const { environment, configurations } = this
    const prepared = await prepareRequest(environment, {
      method: 'POST',
      path: '/sessions/current/token',
      priority: 'high',
    })
    const attempt = (): Promise<Answer> => exchange(environment, configurations, session, prepared)
    const answer = expectSuccess(await withRecovery(attempt, this.clockRecovery))
    session.useToken(parseTokenAnswer(answer.bytes), environment.clock.seconds())
  }
}

/** `unknown_session` is unsealed, so an attacker can forge it: the cost is one login, and the outcome of the request remains unknown. */
export function isSessionOver(error: unknown): error is ChannelError {
  return error instanceof ChannelError && (error.code === 'session_ended' || error.code === 'unknown_session')
}
