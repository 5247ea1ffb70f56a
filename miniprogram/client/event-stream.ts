/** The one order of a user's events, and who has seen how far. */
import type { ChannelEvent, EventPosition } from './event-list.ts'
import { startPause } from './timers.ts'

/** Events that will never come: the service does not keep them any more, or was itself set back. */
export interface MissedEvents {
  /** The first that is missing. */
  readonly from: number
  /** The last that is missing; before `from` when the service was set back, and numbers come a second time. */
  readonly to: number
}

export interface EventReader {
  onEvent(event: ChannelEvent): void
  onMissed?(missed: MissedEvents): void
}

/** Somebody's place in the stream. */
export class StreamCursor {
  /** The last event that was handed on. */
  last: number
  readonly reader: EventReader
  readonly close: () => void

  constructor(after: number, reader: EventReader, close: (cursor: StreamCursor) => void) {
    this.last = after
    this.reader = reader
    this.close = () => close(this)
  }
}

export class EventStream {
  private readonly cursors = new Set<StreamCursor>()

  get isEmpty(): boolean {
    return this.cursors.size === 0
  }

  /** What everybody has seen. */
  get position(): number {
    return Math.min(...[...this.cursors].map(({ last }) => last))
  }

  /** @param onClose after the place is given up */
  add(after: number, reader: EventReader, onClose: () => void): StreamCursor {
    const cursor = new StreamCursor(after, reader, (closed) => {
      if (this.cursors.delete(closed)) onClose()
    })
    this.cursors.add(cursor)
    return cursor
  }

  clear(): void {
    this.cursors.clear()
  }

  /**
   * Hands on the event that follows {@link position}.
   * @returns false when events are missing before it: nothing was handed on. One that was seen already is passed over.
   */
  take(event: ChannelEvent): boolean {
    const { position } = this
    if (event.sequence > position + 1) return false
    for (const cursor of [...this.cursors]) {
      if (cursor.last !== event.sequence - 1) continue
      cursor.last = event.sequence
      callListener(() => cursor.reader.onEvent(event))
    }
    return true
  }

  /** Goes on from where the service is, when it was asked for what follows `after`. */
  moveTo({ from, last }: EventPosition, after: number): void {
    const isSetBack = from <= after
    for (const cursor of [...this.cursors]) {
      const before = cursor.last
      if (isSetBack || before > last) cursor.last = Math.min(before, from - 1, last)
      else if (before < from - 1) cursor.last = from - 1
      const missed = { from: before + 1, to: cursor.last }
      if (cursor.last !== before) callListener(() => cursor.reader.onMissed?.(missed))
    }
  }
}

/** What a listener throws is the mini program's: it is reported as uncaught, and stops nobody else. */
function callListener(call: () => void): void {
  try {
    call()
  } catch (error) {
    void startPause(0).over.then(() => {
      throw error
    })
  }
}
