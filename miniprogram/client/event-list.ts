/** Events of the user: what a mini program sees of one, how frames carry it, and how `GET /events` lists them. */
import { FormatError } from 'miniseal-protocol/errors'
import type { SequencedEvent } from 'miniseal-protocol/frames/session-keys'
import { jsonObject, numberMember, parseJsonObject, requiredNumber, requiredString } from './json.ts'
import { readable } from './session.ts'

export interface ChannelEvent {
  /** From 1, without gaps, for each user. */
  readonly sequence: number
  /** For example `chat-message`; more may come with time, so pass over what you do not know. */
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
  /** When the service took it, UNIX seconds by its own clock. */
  readonly time: number
}

/** Where the service's list stands. */
export interface EventPosition {
  /** The first event after the asked one that is still there; after all of them, the next one. */
  readonly from: number
  /** The newest event ever. */
  readonly last: number
}

/** Reads an opened frame 0x05. @throws FormatError for another form. */
export function parseEvent({ sequence, event }: SequencedEvent): ChannelEvent {
  return eventOf(parseJsonObject(event), sequence)
}

/** Reads the verified answer to a subscription. @throws ChannelError `unexpected_answer`. */
export function parseEventPosition(content: Uint8Array): EventPosition {
  return readable(() => positionOf(parseJsonObject(content)))
}

/** Reads the verified answer of `GET /events`. @throws ChannelError `unexpected_answer`. */
export function parseEventList(
  content: Uint8Array,
): EventPosition & { readonly events: readonly ChannelEvent[] } {
  return readable(() => {
    const body = parseJsonObject(content)
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
  return { sequence, type: requiredString(event, 'type'), data, time: numberMember(event, 'time') ?? 0 }
}
