/** Whether somebody is at the other end of a socket: a half-open one looks like an idle one, until it is asked. */
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { SocketTimes } from './socket-settings.ts'
import { maxUnheard } from './socket-settings.ts'

export class SocketPulse {
  readonly #socket: WebSocket
  readonly #connection: Socket
  readonly #times: SocketTimes
  readonly #beganAt = performance.now()
  readonly #waiting: (() => void)[] = []
  #heardAt = performance.now()
  #pingedAt = performance.now()
  /** Bytes of events that were sent since something was heard. */
  #unheard = 0
  /** Bytes that the system has taken, and when it last took some, or there were none left. */
  #taken = 0
  #movedAt = performance.now()

  constructor(socket: WebSocket, connection: Socket, times: SocketTimes) {
    this.#socket = socket
    this.#connection = connection
    this.#times = times
    socket.on('pong', () => this.hear())
    socket.on('ping', () => this.hear())
  }

  /** Something has come. */
  hear(): void {
    this.#heardAt = performance.now()
    this.#unheard = 0
    for (const resume of this.#waiting.splice(0)) resume()
  }

  /** Milliseconds since it was opened. */
  age(): number {
    return performance.now() - this.#beganAt
  }

  /**
   * Counts what was sent without being asked for. Resolves when more may follow: the system takes megabytes for
   * somebody who reads slowly, or is not there, and a ping behind them would take as long as they do.
   */
  async paced(bytes: number): Promise<void> {
    this.#unheard += bytes
    if (this.#unheard <= maxUnheard || this.#socket.readyState !== this.#socket.OPEN) return
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
  beats(): boolean {
    const now = performance.now()
    const unsent = this.#socket.bufferedAmount
    const taken = this.#connection.bytesWritten - this.#connection.writableLength
    const hasMoved = taken !== this.#taken
    if (hasMoved || unsent === 0) this.#movedAt = now
    // Behind a large answer that is being read slowly a ping takes its time.
    if (hasMoved && unsent > 0) this.#heardAt = now
    this.#taken = taken
    if (now - this.#pingedAt >= this.#times.ping) this.#ping()
    return now - this.#heardAt <= this.#times.silence && now - this.#movedAt <= this.#times.silence
  }

  #ping(): void {
    this.#pingedAt = performance.now()
    this.#socket.ping()
  }
}
