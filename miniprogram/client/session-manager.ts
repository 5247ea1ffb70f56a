/** The session of a channel: opened on demand, by one login at a time. */
import type { Configurations } from './configurations.ts'
import type { Environment } from './environment.ts'
import { logIn } from './login.ts'
import type { Session } from './session.ts'

/**
 * - `ready`: a session is open;
 * - `logged-out`: initially, after a logout and after a failed login;
 * - `ended`: the service ended the session; the next request logs in again;
 * - `offline`: no network, in any of the other states.
 */
export type ChannelState = 'logged-out' | 'logging-in' | 'ready' | 'ended' | 'offline'

export type StateListener = (state: ChannelState) => void

export class SessionManager {
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

  /** The current state, as passed to listeners. */
  get currentState(): ChannelState {
    return this.environment.events.isOnline() ? this.state : 'offline'
  }

  /** The user of the current session. */
  get user(): string | undefined {
    const { current } = this
    return current?.isOver(this.environment.clock.seconds()) === false ? current.info.user : undefined
  }

  /** Calls `listener` on every change of state. @returns a function that removes the listener */
  listen(listener: StateListener): () => void {
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
    }
  }

  /**
   * The current session; logs in when there is none or it has expired. Concurrent callers share one login, because
   * concurrent WeChat logins invalidate each other.
   *
   * @throws ChannelError as {@link logIn}
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

  /** The current session, or the one of a pending login; never starts a login. */
  async find(): Promise<Session | undefined> {
    if (this.login === undefined) return this.current
    return this.login.catch(() => undefined)
  }

  /** Drops `session` if it is still the current one. */
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
