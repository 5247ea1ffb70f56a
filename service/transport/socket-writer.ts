/** What goes out over a socket, one frame after another, so that it shows whether the other end reads. */
import type { WebSocket } from 'ws'

interface Frame {
  readonly bytes: Uint8Array
  readonly done: () => void
}

/**
 * A frame is handed to the system when the one before is out of our hands. Together they would be one large write, of
 * which nothing is heard before its end.
 */
export class SocketWriter {
  readonly #socket: WebSocket
  readonly #frames: Frame[] = []
  readonly #whenEmpty: (() => void)[] = []
  #unsent = 0
  #isAtWork = false
  #movedAt = performance.now()

  constructor(socket: WebSocket) {
    this.#socket = socket
  }

  /** Bytes that the system has not taken. */
  get unsent(): number {
    return this.#unsent
  }

  /** When it last took a frame, or when there was none to take; `performance.now()`. */
  get movedAt(): number {
    return this.#isAtWork ? this.#movedAt : performance.now()
  }

  /** Resolves when the system has taken it, or never will. */
  send(bytes: Uint8Array): Promise<void> {
    return new Promise((done) => {
      this.#unsent += bytes.length
      this.#frames.push({ bytes, done })
      if (!this.#isAtWork) void this.#work()
    })
  }

  /** Resolves when nothing is left to be sent. */
  async empty(): Promise<void> {
    if (this.#isAtWork) await new Promise<void>((resolve) => this.#whenEmpty.push(resolve))
  }

  async #work(): Promise<void> {
    this.#isAtWork = true
    this.#movedAt = performance.now()
    for (let frame = this.#frames.shift(); frame !== undefined; frame = this.#frames.shift()) {
      const { bytes, done } = frame
      // An error is the end of the socket, which its owner hears of.
      await new Promise<void>((resolve) => this.#socket.send(bytes, () => resolve()))
      this.#unsent -= bytes.length
      this.#movedAt = performance.now()
      done()
    }
    this.#isAtWork = false
    for (const resolve of this.#whenEmpty.splice(0)) resolve()
  }
}
