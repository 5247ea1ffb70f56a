/** One subscription at work: a user's events go to one socket, in order, as fast as it takes them. */
import type { SequencedEvent } from 'miniseal-protocol/frames/session-keys'
import type { EventPage } from './outbox.ts'

/** Events that are read at a time. */
const batchSize = 64

/** After a read that failed, in milliseconds. */
const retryPause = 1_000

export interface DeliveryParts {
  /** The number of the first event. */
  readonly from: number
  readonly read: (after: number, limit: number) => Promise<EventPage>
  /** Whether the session is active. Asked after a read: what was pushed after a session's end does not go to it. */
  readonly isActive: () => Promise<boolean>
  /** Resolves when the socket takes more. */
  readonly send: (event: SequencedEvent) => Promise<void>
  /**
   * There is nothing more to come: the session is over, or the outbox no longer has what is next (it was pruned, or the
   * database was set back), so that the client has to ask anew.
   */
  readonly onEnd: (why: 'session-over' | 'out-of-order') => void
}

export class Delivery {
  readonly #parts: DeliveryParts
  #next: number
  #isNotified = false
  #isAtWork = false
  #isStopped = false

  constructor(parts: DeliveryParts) {
    this.#parts = parts
    this.#next = parts.from
  }

  /** The number of the event that is sent next. */
  get next(): number {
    return this.#next
  }

  /** There may be something new. Cheap when it is at work already. */
  notify(): void {
    this.#isNotified = true
    if (!this.#isAtWork) void this.#work()
  }

  /** Sends nothing more. */
  stop(): void {
    this.#isStopped = true
  }

  async #work(): Promise<void> {
    this.#isAtWork = true
    try {
      while (this.#isNotified && !this.#isStopped) {
        this.#isNotified = false
        while (await this.#sendPage());
      }
    } catch {
      // The database did not answer; the events are there all the same.
      setTimeout(() => this.notify(), retryPause).unref()
    } finally {
      this.#isAtWork = false
    }
  }

  /** @returns whether there may be more */
  async #sendPage(): Promise<boolean> {
    const { read, isActive, send } = this.#parts
    const { from, last, events } = await read(this.#next - 1, batchSize)
    if (this.#isStopped) return false
    if (from !== this.#next) return this.#end('out-of-order')
    if (events.length === 0) return false
    if (!(await isActive())) return this.#end('session-over')
    for (const event of events) {
      if (this.#isStopped) return false
      await send(event)
      this.#next = event.sequence + 1
    }
    return last >= this.#next
  }

  #end(why: 'session-over' | 'out-of-order'): false {
    this.#isStopped = true
    this.#parts.onEnd(why)
    return false
  }
}
