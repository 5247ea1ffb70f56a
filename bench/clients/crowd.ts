/** Many people at once: sessions that were really opened, and sockets that are bound to them. */
import type { RawSession } from '../../test/support/raw-client.ts'
import { logIn } from '../../test/support/raw-client.ts'
import type { RawSocket } from '../../test/support/raw-socket.ts'
import { openSocket } from '../../test/support/raw-socket.ts'
import type { Target } from './client.ts'
import { repeat } from './client.ts'
import { serviceAt } from './miniseal.ts'

/** Sockets that one session may have. */
const socketsOfSession = 2

export class Crowd {
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
   * @returns how many are open: fewer than asked for where this machine has no more files or ports for a process
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
        // Counted by its absence: the caller knows the total.
      }
    })
    return this.#sockets.length
  }

  /** How many of the sockets are still open. */
  countOpen(): number {
    return this.#sockets.filter(({ ws }) => ws.readyState === ws.OPEN).length
  }

  close(): void {
    for (const { ws } of this.#sockets) ws.terminate()
  }
}
