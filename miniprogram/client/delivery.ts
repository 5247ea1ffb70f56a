/** A request on the open session: what can be put right is put right, each once, and then it is sent again. */
import type { Answer } from './answer.ts'
import type { Configurations } from './configurations.ts'
import type { Environment } from './environment.ts'
import type { ChannelErrorCode } from './error-texts.ts'
import { ChannelError } from './errors.ts'
import { exchange } from './exchange.ts'
import { correctClock } from './login.ts'
import type { PreparedRequest } from './prepared-request.ts'
import type { RecoveryStep } from './recovery.ts'
import { withRecovery } from './recovery.ts'
import { Renewal } from './renewal.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'

export class Delivery {
  private readonly environment: Environment
  private readonly configurations: Configurations
  private readonly openSessions: Sessions
  private readonly renewal: Renewal

  constructor(environment: Environment, configurations: Configurations, openSessions: Sessions) {
    this.environment = environment
    this.configurations = configurations
    this.openSessions = openSessions
    this.renewal = new Renewal(environment, configurations)
  }

  /**
   * On the open session and, when that turns out to be over, once more on a new one.
   * @throws ChannelError
   */
  async send(prepared: PreparedRequest): Promise<Answer> {
    const session = await this.openSessions.open()
    try {
      return await this.sendOn(session, prepared)
    } catch (error) {
      if (!isSessionOver(error)) throw error
      this.openSessions.end(session, 'ended')
    }
    return this.sendOn(await this.openSessions.open(), prepared)
  }

  /** On this session and no other. @throws ChannelError */
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
            // Another request may have renewed it meanwhile.
            if (session.token === token) await renewal.renew(session)
            return true
          },
        ],
      ]),
    )
  }
}

/** `unknown_session` comes in the clear, so anyone can send it: it costs one login, and nothing is taken as refused. */
export function isSessionOver(error: unknown): error is ChannelError {
  return error instanceof ChannelError && (error.code === 'session_ended' || error.code === 'unknown_session')
}
