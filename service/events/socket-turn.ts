/** What a frame does to the socket that it came over, beside being answered. */
import type { SessionKeys } from 'miniseal-protocol/frames/session-keys'

/** A session as a socket needs it. */
export interface SocketSession {
  /** 16 bytes, the protocol's `sid`. */
  readonly id: Uint8Array
  readonly user: string
  readonly keys: SessionKeys
  /** UNIX seconds: the first second at which it is over. */
  readonly expiresAt: number
}

/** One frame's turn on a socket: the exchange writes it, the socket reads it once the answer is there. */
export class SocketTurn {
  #session: SocketSession | undefined
  #subscription: number | undefined

  /** The session that the frame has proved to be of, or has made. */
  get session(): SocketSession | undefined {
    return this.#session
  }

  /** The number of the first event that is to be sent after the answer. */
  get subscription(): number | undefined {
    return this.#subscription
  }

  bind({ id, user, keys, expiresAt }: SocketSession): void {
    this.#session = { id, user, keys, expiresAt }
  }

  subscribe(from: number): void {
    this.#subscription = from
  }
}
