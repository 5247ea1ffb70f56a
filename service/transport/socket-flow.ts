/** Flow control of one WebSocket: memory of incoming messages, serial writes, and a heartbeat. */
import type { WebSocket } from 'ws'
import type { BodyMemoryBudget, Reservation } from '../limits/body-memory.ts'

/** Milliseconds. */
export interface SocketTimes {
  /** For a new socket to present a session. */
  readonly bind: number
  /** Between two pings. */
  readonly ping: number
  /** Without incoming data, and without progress of outgoing data. */
  readonly silence: number
  /** Between two checks of these times. */
  readonly checkInterval: number
}

export const defaultSocketTimes: SocketTimes = {
  bind: 15_000,
  ping: 25_000,
  silence: 60_000,
  checkInterval: 1_000,
}

/** Bytes of an incomplete message that need no reservation. An unbound socket is limited to them. */
const unreservedBytes = 65_536

/** Each read from the connection is buffered separately until the message is complete, and counts at least this. */
const minReadSize = 128

/** The incomplete incoming message of one socket. */
export class IncomingMessageBuffer {
  readonly #budget: BodyMemoryBudget
  readonly #source: string
  readonly #maxSize: number
  readonly #terminate: () => void
  #bytes = 0
  #reservation: Reservation | undefined

  /** @param maxSize bytes of the largest message */
  constructor(budget: BodyMemoryBudget, source: string, maxSize: number, terminate: () => void) {
    this.#budget = budget
    this.#source = source
    this.#maxSize = maxSize
    this.#terminate = terminate
  }

  /** Counts incoming bytes. Without a reservation, or over the limit of an unbound socket, it terminates the socket. */
  add(bytes: number, isBound: boolean): void {
    this.#bytes += Math.max(bytes, minReadSize)
    if (this.#bytes <= unreservedBytes || this.#reservation !== undefined) return
    try {
      if (isBound) this.#reservation = this.#budget.reserve(this.#source, this.#maxSize, this.#terminate)
      else this.#terminate()
    } catch {
      this.#terminate()
    }
  }

  /** The message is complete. @returns releases its memory once it has been processed. */
  complete(): () => void {
    const reservation = this.#reservation
    this.#bytes = 0
    this.#reservation = undefined
    reservation?.complete()
    return () => reservation?.release()
  }
}

interface QueuedFrame {
  readonly bytes: Uint8Array
  readonly done: () => void
}

/**
 * Passes one frame at a time to the operating system. A single large write would report progress only at its end.
 */
export class SocketWriter {
  readonly #socket: WebSocket
  readonly #queue: QueuedFrame[] = []
  readonly #drained: (() => void)[] = []
  #unsent = 0
  #isWriting = false
  #progressAt = performance.now()

  constructor(socket: WebSocket) {
    this.#socket = socket
  }

  /** Bytes that the operating system has not accepted. */
  get unsent(): number {
    return this.#unsent
  }

  /** When the last frame was accepted; now, when the queue is empty. `performance.now()` */
  get progressAt(): number {
    return this.#isWriting ? this.#progressAt : performance.now()
  }

  /** Resolves when the frame was accepted or the socket failed. */
  send(bytes: Uint8Array): Promise<void> {
    return new Promise((done) => {
      this.#unsent += bytes.length
      this.#queue.push({ bytes, done })
      if (!this.#isWriting) void this.#write()
    })
  }

  /** Resolves when the queue is empty. */
  async drain(): Promise<void> {
    if (this.#isWriting) await new Promise<void>((resolve) => this.#drained.push(resolve))
  }

  async #write(): Promise<void> {
    this.#isWriting = true
    this.#progressAt = performance.now()
    for (let frame = this.#queue.shift(); frame !== undefined; frame = this.#queue.shift()) {
      const { bytes, done } = frame
      // After an error the socket emits `close`.
      await new Promise<void>((resolve) => this.#socket.send(bytes, () => resolve()))
      this.#unsent -= bytes.length
      this.#progressAt = performance.now()
      done()
    }
    this.#isWriting = false
    for (const resolve of this.#drained.splice(0)) resolve()
  }
}

/** Bytes of events that may be sent without incoming data, for example a pong. */
const maxUnacknowledgedBytes = 524_288

/** Detects dead and stalled peers. A half-open connection looks idle until it is pinged. */
export class Heartbeat {
  readonly #socket: WebSocket
  readonly #writer: SocketWriter
  readonly #times: SocketTimes
  readonly #openedAt = performance.now()
  readonly #waiting: (() => void)[] = []
  #lastActivityAt = performance.now()
  #pingedAt = performance.now()
  /** Bytes of events sent since the last activity. */
  #unacknowledged = 0

  constructor(socket: WebSocket, writer: SocketWriter, times: SocketTimes) {
    this.#socket = socket
    this.#writer = writer
    this.#times = times
    socket.on('pong', () => this.recordActivity())
    socket.on('ping', () => this.recordActivity())
  }

  /** Records incoming data. */
  recordActivity(): void {
    this.#lastActivityAt = performance.now()
    this.#unacknowledged = 0
    this.stop()
  }

  /** Milliseconds since the socket was opened. */
  age(): number {
    return performance.now() - this.#openedAt
  }

  /**
   * Counts an event, and resolves when the next one may be sent. The operating system buffers megabytes for a peer
   * that reads slowly or is gone, and a ping queued behind them would be answered late.
   */
  async waitForActivity(bytes: number): Promise<void> {
    this.#unacknowledged += bytes
    if (this.#unacknowledged <= maxUnacknowledgedBytes || this.#socket.readyState !== this.#socket.OPEN)
      return
    this.#ping()
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** Resolves everything that waits for activity. */
  stop(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /**
   * Sends a ping when it is due.
   *
   * @returns false when no data was received for too long, or when the peer does not read: a client that sends
   *   requests without reading responses would fill memory.
   */
  isAlive(): boolean {
    const now = performance.now()
    const { progressAt, unsent } = this.#writer
    if (now - this.#pingedAt >= this.#times.ping) this.#ping()
    // A ping queued behind large frames is answered late, so progress of the frames counts too.
    const aliveAt = unsent > 0 ? Math.max(this.#lastActivityAt, progressAt) : this.#lastActivityAt
    return now - aliveAt <= this.#times.silence && now - progressAt <= this.#times.silence
  }

  #ping(): void {
    this.#pingedAt = performance.now()
    this.#socket.ping()
  }
}
