/** Bounds the memory of the messages that arrive over sockets: large ones take room before they are read whole. */
import type { BodyMemoryBudget, Reservation } from '../limits/bodies.ts'

/** Bytes that each socket may hold of a message that is not complete; before its session is known, all there is. */
const freeBytes = 65_536

/** What a piece counts at least: each read of the connection is kept by itself until the message is complete. */
const minBytes = 128

/** The message that is arriving over one socket. */
export class IncomingMessageBuffer {
  readonly #bodies: BodyMemoryBudget
  readonly #source: string
  readonly #largest: number
  readonly #cut: () => void
  #bytes = 0
  #reservation: Reservation | undefined

  /**
   * @param largest bytes of the largest message
   * @param cut ends the socket
   */
  constructor(bodies: BodyMemoryBudget, source: string, largest: number, cut: () => void) {
    this.#bodies = bodies
    this.#source = source
    this.#largest = largest
    this.#cut = cut
  }

  /** More of it is here. One that finds no room, or is large for a stranger, is the end of its socket. */
  add(bytes: number, isStranger: boolean): void {
    this.#bytes += Math.max(bytes, minBytes)
    if (this.#bytes <= freeBytes || this.#reservation !== undefined) return
    try {
      if (isStranger) this.#cut()
      else this.#reservation = this.#bodies.take(this.#source, this.#largest, this.#cut)
    } catch {
      this.#cut()
    }
  }

  /** It is complete. @returns gives its room back, once it has been worked on. */
  take(): () => void {
    const room = this.#reservation
    this.#bytes = 0
    this.#reservation = undefined
    room?.arrived()
    return () => room?.release()
  }
}
