/** Events of the user: what a mini program sees of one, and how `GET /events` lists them. */
import { FormatError } from '../../crypto/errors.ts'
import type { SequencedEvent } from '../../crypto/session-keys.ts'
import { decodeUtf8, encodeUtf8 } from '../../crypto/text.ts'
import { jsonObject, parseJson, parseJsonObject, requiredNumber } from './json.ts'
import { readable } from './session.ts'

export interface ChannelEvent {
  /** From 1, without gaps, for each user. */
  readonly sequence: number
  readonly bytes: Uint8Array
  /** @throws FormatError when the event is not UTF-8. */
  text(): string
  /** @throws FormatError when the event is not JSON. */
  json(): unknown
}

export function createEvent({ sequence, event }: SequencedEvent): ChannelEvent {
  return { sequence, bytes: event, text: () => decodeUtf8(event), json: () => parseJson(event) }
}

/** Reads the verified answer. @throws ChannelError `unexpected_answer`. */
export function parseEventList(content: Uint8Array): readonly SequencedEvent[] {
  return readable(() => {
    const { events } = parseJsonObject(content)
    if (!Array.isArray(events)) throw new FormatError('not a list of events')
    return events.map((value) => {
      const member = jsonObject(value)
      return { sequence: requiredNumber(member, 'sequence'), event: encodeUtf8(JSON.stringify(member.event)) }
    })
  })
}
