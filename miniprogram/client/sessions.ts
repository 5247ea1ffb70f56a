/** The one session of a channel: opened when it is needed, by one login at a time. */
import type { Configurations } from './configurations.ts'
import type { Environment } from './environment.ts'
import { logIn } from './login.ts'
import type { Session } from './session.ts'

/**
 * - `ready`: there is a session;
 * - `logged-out`: there was none yet, somebody logged out, or a login failed;
 * - `ended`: the service ended it; the next request logs in again;
 * - `offline`: there is no network, whatever else holds.
 */
export type ChannelState = 'logged-out' | 'logging-in' | 'ready' | 'ended' | 'offline'

export type StateListener = (state: ChannelState) => void

export class Sessions {
  private readonly environment: Environment
  private readonly configurations: Configurations
  private readonly listeners = new Set<StateListener>()
  private current: Session | undefined
  private state: ChannelState = 'logged-out'
  private lastEmitted: ChannelState = 'logged-out'
  private login: Promise<Session> | undefined

  constructor(environment: Environment, configurations: Configurations) {
    this.environment = environment
    this.configurations = configurations
    environment.events.listen(() => this.emitState(this.state))
  }

  /** What a listener would have been told last. */
  get currentState(): ChannelState {
    return this.environment.events.isOnline() ? this.state : 'offline'
  }

  /** The user of the session that is open now. */
  get user(): string | undefined {
    const { current } = this
    return current?.isOver(this.environment.clock.seconds()) === false ? current.info.user : undefined
  }

  /** Calls `listener` with every new state. @returns a function that ends this. */
  listen(listener: StateListener): () => void {
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
    }
  }

  /**
   * The session, by logging in when there is none or its time is over. Callers that come together share one login:
   * WeChat's codes and session keys do not survive two at once.
   *
   * @throws ChannelError see `logIn`.
   */
  open(): Promise<Session> {
    const { current } = this
    if (current !== undefined && !current.isOver(this.environment.clock.seconds()))
      return Promise.resolve(current)
    this.login ??= this.startLogin().finally(() => {
      this.login = undefined
    })
    return this.login
  }

  /** The session that is there or on its way; never logs in. */
  async find(): Promise<Session | undefined> {
    if (this.login === undefined) return this.current
    return this.login.catch(() => undefined)
  }

  /** Forgets `session`, unless another one has taken its place already. */
  end(session: Session, state: 'logged-out' | 'ended'): void {
    if (this.current !== session) return
    this.current = undefined
    this.emitState(state)
  }

  private async startLogin(): Promise<Session> {
    this.emitState('logging-in')
    try {
      this.current = await logIn(this.environment, this.configurations)
    } catch (error) {
      this.current = undefined
      this.emitState('logged-out')
      throw error
    }
    this.emitState('ready')
    return this.current
  }

  private emitState(state: ChannelState): void {
    this.state = state
    const { currentState } = this
    if (currentState === this.lastEmitted) return
    this.lastEmitted = currentState
    for (const listener of [...this.listeners]) listener(currentState)
  }
}
