/** The one order of a user's events, and who has seen how far. */
import type { SequencedEvent } from '../../crypto/session-keys.ts'
import type { ChannelEvent } from './event-list.ts'
import { createEvent } from './event-list.ts'
import { startPause } from './timers.ts'

class Reader {
  last: number
  readonly onEvent: (event: ChannelEvent) => void
  readonly close: () => void

  constructor(after: number, onEvent: (event: ChannelEvent) => void, close: (reader: Reader) => void) {
    this.last = after
    this.onEvent = onEvent
    this.close = () => close(this)
  }
}

export class EventStream {
  /** A gap or a repeat was seen, and nothing is certain until the next subscription. */
  isLost = false
  private readonly readers = new Set<Reader>()

  get isEmpty(): boolean {
    return this.readers.size === 0
  }

  /** What everybody has seen. */
  get position(): number {
    return Math.min(...[...this.readers].map(({ last }) => last))
  }

  /** @param onClose after the reader is gone */
  add(after: number, onEvent: (event: ChannelEvent) => void, onClose: () => void): Reader {
    const reader = new Reader(after, onEvent, (closed) => {
      if (this.readers.delete(closed)) onClose()
    })
    this.readers.add(reader)
    return reader
  }

  clear(): void {
    this.readers.clear()
  }

  /** Hands on the event that follows {@link position}. @returns false for a gap or a repeat: nothing was handed on. */
  take(event: SequencedEvent): boolean {
    if (event.sequence !== this.position + 1) return false
    this.isLost = false
    for (const reader of [...this.readers]) {
      if (reader.last >= event.sequence) continue
      reader.last = event.sequence
      give(reader, event)
    }
    return true
  }
}

/** What a listener throws is the mini program's: it is reported as uncaught, and stops nobody else. */
function give({ onEvent }: Reader, event: SequencedEvent): void {
  try {
    onEvent(createEvent(event))
  } catch (error) {
    void startPause(0).over.then(() => {
      throw error
    })
  }
}
