/** Access tokens live minutes: the next one is fetched in time, by one request however many wait for it. */
import type { Configurations } from './configurations.ts'
import type { Environment } from './environment.ts'
import type { ChannelErrorCode } from './error-texts.ts'
import { ChannelError } from './errors.ts'
import { exchange } from './exchange.ts'
import { correctClock } from './login.ts'
import { prepareRequest } from './prepared-request.ts'
import type { RecoveryStep } from './recovery.ts'
import { withRecovery } from './recovery.ts'
import type { Session } from './session.ts'
import { parseTokenAnswer } from './session.ts'

export class Renewal {
  private readonly environment: Environment
  private readonly configurations: Configurations
  private readonly running = new WeakMap<Session, Promise<void>>()

  constructor(environment: Environment, configurations: Configurations) {
    this.environment = environment
    this.configurations = configurations
  }

  /**
   * Makes sure that the session's token is not about to end.
   * @throws ChannelError see {@link renew}.
   */
  async ensureFresh(session: Session): Promise<void> {
    if (session.needsToken(this.environment.clock.seconds())) await this.renew(session)
  }

  /**
   * Fetches the next token. The service takes the old one here even when it has ended.
   * @throws ChannelError with outcome `none`: the request that needs the token has not been sent.
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
      throw new ChannelError('unexpected_answer', 'the token was not renewed as agreed')
    session.useToken(parseTokenAnswer(answer.bytes), environment.clock.seconds())
  }
}
