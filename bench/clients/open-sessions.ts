/** Many open sessions, and sockets bound to them. */
import type { RawSession } from '../../test/support/raw-client.ts'
import { logIn } from '../../test/support/raw-client.ts'
import type { RawSocket } from '../../test/support/raw-socket.ts'
import { openSocket } from '../../test/support/raw-socket.ts'
import type { Target } from './client.ts'
import { repeat } from './client.ts'
import { serviceAt } from './miniseal.ts'

/** Sockets that one session may have. */
const socketsOfSession = 2

export class OpenSessions {
  readonly #target: Target
  #sessions: readonly RawSession[] = []
  readonly #sockets: RawSocket[] = []

  constructor(target: Target) {
    this.#target = target
  }

  /** Logs users in; each sends one request. @throws Error when a request is refused. */
  async logIn(count: number): Promise<void> {
    const service = serviceAt(`http://127.0.0.1:${this.#target.ports[0]}`, this.#target.secrets)
    this.#sessions = await repeat(count, async (index) => {
      const session = await logIn(service, { openid: `one-of-many-${index}` })
      const { status } = await session.send({ path: '/wallet' })
      if (status !== 200) throw new Error(`a request of a new session was answered with ${status}`)
      return session
    })
  }

  /**
   * Opens sockets and binds each with a signed request.
   *
   * @returns the number of open sockets: lower than `count` when the process has no more files or ports
   */
  async openSockets(count: number): Promise<number> {
    const wanted = Math.min(count, this.#sessions.length * socketsOfSession)
    await repeat(wanted, async (index) => {
      const session = this.#sessions[index % this.#sessions.length]
      if (session === undefined) return
      try {
        const socket = await openSocket(session.service)
        const { status } = await socket.request(session, { path: '/wallet' })
        if (status === 200) this.#sockets.push(socket)
      } catch {
        // The returned number excludes it.
      }
    })
    return this.#sockets.length
  }

  /** The number of sockets that are still open. */
  countOpen(): number {
    return this.#sockets.filter(({ ws }) => ws.readyState === ws.OPEN).length
  }

  close(): void {
    for (const { ws } of this.#sockets) ws.terminate()
  }
}
