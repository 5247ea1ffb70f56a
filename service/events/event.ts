/** Events: a type, data and a time, as UTF-8 JSON (protocol, "Events"). */

import { encodeUtf8 } from 'miniseal-protocol/text'
import { z } from 'zod'
import { ProblemError } from '../problems/problem-error.ts'

/**
 * The event types that the service itself emits, with the schema of their data. Pushes of these types are refused.
 * All devices of a user receive the same events: a new device recognizes itself by `data.device`.
 */
const serviceEventTypes = {
  /** A login enrolled a device while the user had another one. */
  'new-device': z.strictObject({
    /** The thumbprint of its key. */
    device: z.string(),
    platform: z.string().nullable(),
    name: z.null(),
  }),
  'device-revoked': z.strictObject({ device: z.string() }),
} as const

type ServiceEventType = keyof typeof serviceEventTypes

export const reservedTypes: ReadonlySet<string> = new Set(Object.keys(serviceEventTypes))

/** An event before it is stored. */
export interface NewEvent {
  /** A lower-case letter, then letters, digits, `.` and `-`; at most 64 characters. */
  readonly type: string
  /** Any JSON object. */
  readonly data: Readonly<Record<string, unknown>>
}

/** An event of the service itself. */
export function serviceEvent<T extends ServiceEventType>(
  type: T,
  data: z.infer<(typeof serviceEventTypes)[T]>,
): NewEvent {
  return { type, data: serviceEventTypes[type].parse(data) }
}

/** Bytes of an encoded event: many events fit into one frame. */
const maxEvent = 16_384

export const newEvent = z.strictObject({
  type: z.string().regex(/^[a-z][a-z0-9.-]{0,63}$/),
  data: z.record(z.string(), z.unknown()),
})

/** `time`: when the event was stored, UNIX seconds. */
export const storedEvent = z.looseObject({
  type: z.string(),
  data: z.record(z.string(), z.unknown()),
  time: z.number().int().min(0),
})

/**
 * Encodes an event.
 *
 * @param time UNIX seconds
 * @throws ProblemError `payload_invalid` for an invalid type, data that JSON cannot represent, and an event over the
 *   size limit.
 */
export function encodeEvent(event: NewEvent, time: number): Uint8Array {
  const parsed = newEvent.safeParse(event)
  if (!parsed.success)
    throw new ProblemError('payload_invalid', 'an event is {"type": lower-case name, "data": object}')
  const { type, data } = parsed.data
  const bytes = encodeUtf8(stringify({ type, data, time }))
  if (bytes.length > maxEvent)
    throw new ProblemError('payload_invalid', `an event must not exceed ${maxEvent} bytes`)
  return bytes
}

function stringify(value: object): string {
  try {
    return JSON.stringify(value)
  } catch {
    throw new ProblemError('payload_invalid', 'the data of the event cannot be represented in JSON')
  }
}

/** Parses the output of {@link encodeEvent}. @throws Error for anything else. */
export function parseEvent(text: string): z.infer<typeof storedEvent> {
  return storedEvent.parse(JSON.parse(text))
}
