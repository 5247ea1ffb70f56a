/** Events of the user: parsing, and delivery in order to several readers. */
import { FormatError } from 'miniseal-protocol/errors'
import type { SequencedEvent } from 'miniseal-protocol/frames/session-keys'
import { decodeJsonObject, jsonObject, requiredNumber, requiredString } from 'miniseal-protocol/json'
import { startDelay } from './clock.ts'
import { parseOrThrow } from './errors.ts'

export interface ChannelEvent {
  /** Per user, from 1, without gaps. */
  readonly sequence: number
  /** For example `chat-message`. Ignore unknown types: more may be added. */
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
  /** When the service accepted the event, UNIX seconds by its clock. */
  readonly time: number
}

/** The range of events that the service retains. */
export interface EventPosition {
  /** Sequence number of the first retained event after the requested one, or of the next event when there is none. */
  readonly from: number
  /** Sequence number of the newest event. */
  readonly last: number
}

/** Parses an opened event frame (0x05). @throws FormatError */
export function parseEvent({ sequence, event }: SequencedEvent): ChannelEvent {
  return eventOf(decodeJsonObject(event), sequence)
}

/** Parses the verified answer to a subscription. @throws ChannelError `unexpected_answer` */
export function parseEventPosition(content: Uint8Array): EventPosition {
  return parseOrThrow(() => positionOf(decodeJsonObject(content)))
}

/** Parses the verified answer to `GET /events`. @throws ChannelError `unexpected_answer` */
export function parseEventList(
  content: Uint8Array,
): EventPosition & { readonly events: readonly ChannelEvent[] } {
  return parseOrThrow(() => {
    const body = decodeJsonObject(content)
    if (!Array.isArray(body.events)) throw new FormatError('not a list of events')
    const events = body.events.map((value) => {
      const member = jsonObject(value)
      return eventOf(member, requiredNumber(member, 'sequence'))
    })
    return { ...positionOf(body), events }
  })
}

function positionOf(body: Record<string, unknown>): EventPosition {
  return { from: requiredNumber(body, 'from'), last: requiredNumber(body, 'last') }
}

function eventOf(event: Record<string, unknown>, sequence: number): ChannelEvent {
  const data = jsonObject(event.data)
  return { sequence, type: requiredString(event, 'type'), data, time: requiredNumber(event, 'time') }
}

/** Events that cannot be delivered: the service deleted them, or was restored from an older backup. */
export interface MissedEvents {
  /** The first missing sequence number. */
  readonly from: number
  /** The last missing one. Less than `from` after a restore: sequence numbers are reused. */
  readonly to: number
}

export interface EventReader {
  onEvent(event: ChannelEvent): void
  onMissed?(missed: MissedEvents): void
}

/** A reader's position in the stream. */
export class StreamCursor {
  /** Sequence number of the last delivered event. */
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

  /** Every reader has received the events up to this sequence number. */
  get position(): number {
    return Math.min(...[...this.cursors].map(({ last }) => last))
  }

  /** @param onClose called after the cursor was removed */
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
   * Delivers the event that follows {@link position}; ignores an event that was delivered before.
   * @returns false when there is a gap before the event, which is not delivered then
   */
  deliver(event: ChannelEvent): boolean {
    const { position } = this
    if (event.sequence > position + 1) return false
    for (const cursor of [...this.cursors]) {
      if (cursor.last !== event.sequence - 1) continue
      cursor.last = event.sequence
      callListener(() => cursor.reader.onEvent(event))
    }
    return true
  }

  /** Adopts the service's position, as answered to a request for the events after `after`. */
  moveTo({ from, last }: EventPosition, after: number): void {
    const isRestored = from <= after
    for (const cursor of [...this.cursors]) {
      const before = cursor.last
      if (isRestored || before > last) cursor.last = Math.min(before, from - 1, last)
      else if (before < from - 1) cursor.last = from - 1
      const missed = { from: before + 1, to: cursor.last }
      if (cursor.last !== before) callListener(() => cursor.reader.onMissed?.(missed))
    }
  }
}

/** An error of a listener is rethrown as uncaught and does not affect other readers. */
function callListener(call: () => void): void {
  try {
    call()
  } catch (error) {
    void startDelay(0).done.then(() => {
      throw error
    })
  }
}
