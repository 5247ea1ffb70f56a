/** Sends requests on the session: renews its token in time, recovers from clock skew and from an ended session. */
import type { Answer } from './answer.ts'
import type { Configurations } from './configurations.ts'
import type { Environment } from './environment.ts'
import type { ChannelErrorCode } from './error-texts.ts'
import { ChannelError } from './errors.ts'
import { exchange } from './exchange.ts'
import { correctClock } from './login.ts'
import type { PreparedRequest } from './prepared-request.ts'
import { prepareRequest } from './prepared-request.ts'
import type { RecoveryStep } from './retries.ts'
import { withRecovery } from './retries.ts'
import type { Session } from './session.ts'
import { parseTokenAnswer } from './session.ts'
import type { SessionManager } from './session-manager.ts'

export class Delivery {
  private readonly environment: Environment
  private readonly configurations: Configurations
  private readonly sessionManager: SessionManager
  private readonly renewal: TokenRenewal

  constructor(environment: Environment, configurations: Configurations, sessionManager: SessionManager) {
    this.environment = environment
    this.configurations = configurations
    this.sessionManager = sessionManager
    this.renewal = new TokenRenewal(environment, configurations)
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
    const { environment, configurations, renewal } = this
    let token = session.token
    return withRecovery(
      async () => {
        await renewal.ensureFresh(session)
        token = session.token
        return exchange(environment, configurations, session, prepared)
      },
      new Map<ChannelErrorCode, RecoveryStep>([
        ['window_invalid', (error) => correctClock(environment, error)],
        [
          'token_expired',
          async () => {
            // A concurrent request may have renewed it.
            if (session.token === token) await renewal.renew(session)
            return true
          },
        ],
      ]),
    )
  }
}

/** `unknown_session` is unsealed, so an attacker can forge it: it costs one login, and the request counts as unsettled. */
export function isSessionOver(error: unknown): error is ChannelError {
  return error instanceof ChannelError && (error.code === 'session_ended' || error.code === 'unknown_session')
}

export class TokenRenewal {
  private readonly environment: Environment
  private readonly configurations: Configurations
  private readonly running = new WeakMap<Session, Promise<void>>()

  constructor(environment: Environment, configurations: Configurations) {
    this.environment = environment
    this.configurations = configurations
  }

  /**
   * Renews the token when it is about to expire.
   * @throws ChannelError see {@link renew}.
   */
  async ensureFresh(session: Session): Promise<void> {
    if (session.needsToken(this.environment.clock.seconds())) await this.renew(session)
  }

  /**
   * Fetches the next token. The service accepts an expired token here.
   * @throws ChannelError with outcome `none`: the request that needs the token was not sent.
   */
  async renew(session: Session): Promise<void> {
    const running = this.running.get(session) ?? this.start(session)
    try {
      await running
    } catch (error) {
      throw error instanceof ChannelError ? error.with({ outcome: 'none' }) : error
    }
  }

  private start(session: Session): Promise<void> {
    const renewal = this.fetch(session).finally(() => this.running.delete(session))
    this.running.set(session, renewal)
    return renewal
  }

  private async fetch(session: Session): Promise<void> {
    const { environment, configurations } = this
    await environment.random.ready()
    const prepared = prepareRequest(environment, {
      method: 'POST',
      path: '/sessions/current/token',
      priority: 'high',
    })
    const answer = await withRecovery(
      () => exchange(environment, configurations, session, prepared),
      new Map<ChannelErrorCode, RecoveryStep>([
        ['window_invalid', (error) => correctClock(environment, error)],
      ]),
    )
    if (answer.status >= 300)
      throw new ChannelError('unexpected_answer', 'unexpected status of a token renewal')
    session.useToken(parseTokenAnswer(answer.bytes), environment.clock.seconds())
  }
}
