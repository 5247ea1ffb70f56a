/** What an event is: a type, data and the time, as UTF-8 JSON (`docs/reference/protocol.md`, "Events"). */

import { ProtocolError } from 'miniseal-protocol/errors'
import { encodeUtf8 } from 'miniseal-protocol/text'
import { z } from 'zod'

/** An event before it has its number. */
export interface NewEvent {
  /** A lower-case letter, then letters, digits, `.` and `-`; 64 characters at most. */
  readonly type: string
  /** Anything that JSON can say. */
  readonly data: Readonly<Record<string, unknown>>
}

/** The types of events that the service itself makes: nobody else can say these things. */
export const ownTypes = { newDevice: 'new-device', deviceRevoked: 'device-revoked' } as const

/** Whether only the service may make events of this type. */
export function isOwnType(type: string): boolean {
  return Object.values<string>(ownTypes).includes(type)
}

/** Bytes of a whole event: many fit into one frame, and a phone reads it in one go. */
const maxEvent = 16_384

/** The shape of an event from outside. */
export const newEvent = z.strictObject({
  type: z.string().regex(/^[a-z][a-z0-9.-]{0,63}$/),
  data: z.record(z.string(), z.unknown()),
})

/** `time`: when it was stored, UNIX seconds. */
export const storedEvent = z.looseObject({
  type: z.string(),
  data: z.record(z.string(), z.unknown()),
  time: z.number().int().min(0),
})

/**
 * The bytes of an event.
 *
 * @param time UNIX seconds
 * @throws ProtocolError `payload_invalid` for a type of another form, data that JSON cannot say, and over the limit.
 */
export function encodeEvent(event: NewEvent, time: number): Uint8Array {
  const parsed = newEvent.safeParse(event)
  if (!parsed.success)
    throw new ProtocolError('payload_invalid', 'an event is {"type": lower-case name, "data": object}')
  const { type, data } = parsed.data
  const bytes = encodeUtf8(textOf({ type, data, time }))
  if (bytes.length > maxEvent)
    throw new ProtocolError('payload_invalid', `an event has at most ${maxEvent} bytes`)
  return bytes
}

function textOf(value: object): string {
  try {
    return JSON.stringify(value)
  } catch {
    throw new ProtocolError('payload_invalid', 'the data of the event is not JSON')
  }
}

/** The members of an event that {@link encodeEvent} made. @throws Error for anything else. */
export function parseEvent(text: string): z.infer<typeof storedEvent> {
  return storedEvent.parse(JSON.parse(text))
}
