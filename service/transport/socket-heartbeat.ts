/** Whether somebody is at the other end of a socket: a half-open one looks like an idle one, until it is asked. */
import type { WebSocket } from 'ws'
import type { SocketTimes } from './socket-settings.ts'
import { maxUnacknowledgedBytes } from './socket-settings.ts'
import type { SocketWriter } from './socket-writer.ts'

export class Heartbeat {
  readonly #socket: WebSocket
  readonly #writer: SocketWriter
  readonly #times: SocketTimes
  readonly #openedAt = performance.now()
  readonly #waiting: (() => void)[] = []
  #lastActivityAt = performance.now()
  #pingedAt = performance.now()
  /** Bytes of events that were sent since something was heard. */
  #unacknowledged = 0

  constructor(socket: WebSocket, writer: SocketWriter, times: SocketTimes) {
    this.#socket = socket
    this.#writer = writer
    this.#times = times
    socket.on('pong', () => this.recordActivity())
    socket.on('ping', () => this.recordActivity())
  }

  /** Something has come. */
  recordActivity(): void {
    this.#lastActivityAt = performance.now()
    this.#unacknowledged = 0
    for (const resume of this.#waiting.splice(0)) resume()
  }

  /** Milliseconds since it was opened. */
  age(): number {
    return performance.now() - this.#openedAt
  }

  /**
   * Counts what was sent without being asked for. Resolves when more may follow: the system takes megabytes for
   * somebody who reads slowly, or is not there, and a ping behind them would take as long as they do.
   */
  async waitForActivity(bytes: number): Promise<void> {
    this.#unacknowledged += bytes
    if (this.#unacknowledged <= maxUnacknowledgedBytes || this.#socket.readyState !== this.#socket.OPEN)
      return
    this.#ping()
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** It is closed: nobody waits for it any more. */
  stop(): void {
    for (const resume of this.#waiting.splice(0)) resume()
  }

  /**
   * Pings when it is time.
   *
   * @returns false when nothing was heard for too long, and also when what is sent is not read: who goes on asking
   *   without reading the answers makes us keep them.
   */
  isAlive(): boolean {
    const now = performance.now()
    const { movedAt, unsent } = this.#writer
    if (now - this.#pingedAt >= this.#times.ping) this.#ping()
    // Behind large answers that are being read slowly a ping takes its time.
    const lifeAt = unsent > 0 ? Math.max(this.#lastActivityAt, movedAt) : this.#lastActivityAt
    return now - lifeAt <= this.#times.silence && now - movedAt <= this.#times.silence
  }

  #ping(): void {
    this.#pingedAt = performance.now()
    this.#socket.ping()
  }
}
