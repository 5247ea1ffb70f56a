/** Outboxes: the encrypted, numbered events of each user. */
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { SequencedEvent } from 'miniseal-protocol/frames/session-keys'
import { decodeUtf8 } from 'miniseal-protocol/text'
import { type SecretWrapper, secretContext } from '../keys/wrapping.ts'
import { ProblemError } from '../problems/problem-error.ts'
import type { EventRecord } from '../store/events.ts'
import type { Store, Write, WriteOf } from '../store/store.ts'
import { encodeEvent, type NewEvent, parseEvent, reservedTypes, serviceEvent } from './event.ts'

/** Result of a push. */
export interface Pushed {
  /** The event's number in the user's outbox, from 1. */
  readonly sequence: number
  /** False for a repetition of an earlier push with the same id. */
  readonly isNew: boolean
}

/** Events after a position. */
export interface EventPage {
  /** The number of the first available event after the position, or of the next event. */
  readonly from: number
  /** The number of the oldest event; `last + 1` for an empty outbox. */
  readonly first: number
  /** The number of the newest event; 0 before the first one. */
  readonly last: number
  /** Consecutive, starting with `from`. */
  readonly events: readonly SequencedEvent[]
}

export interface PushOptions {
  /** Idempotency key: of several pushes with the same id one is stored. 1 to 255 characters. */
  readonly id?: string
}

/** Options of a push over HTTP. */
export interface OwnedPushOptions extends PushOptions {
  /** Namespace of the id: the name of the push key. */
  readonly owner?: string
}

export interface Outbox {
  /**
   * A write that stores an event in a commit with other writes.
   *
   * @throws ProblemError `payload_invalid` for an invalid event.
   */
  writeOf(user: string, event: NewEvent): WriteOf<'append-event'>
  /**
   * Stores an event for a user and delivers it to subscribed devices. Durable when it resolves.
   *
   * @param before writes of the same commit
   * @throws ProblemError `payload_invalid` for an invalid event and a reserved type; `not_found` for a user who never
   *   logged in; `idempotency_mismatch` when the id belongs to another event; `replayed` when a write of `before` is
   *   refused.
   * @throws StoreUnavailable when the result is unknown: push again with the same id.
   */
  push(user: string, event: NewEvent, options?: OwnedPushOptions, before?: readonly Write[]): Promise<Pushed>
  /** At most `limit` events after the number `after`. @throws StoreUnavailable */
  read(user: string, after: number, limit: number): Promise<EventPage>
}

/** Wider than the pairwise subjects that the service issues. */
const userForm = /^[\x21-\x7e]{1,128}$/

const day = 86_400

export interface OutboxOptions {
  readonly store: Pick<Store, 'commit' | 'findEvent' | 'listEvents'>
  readonly wrapper: SecretWrapper
  /** Retention period. */
  readonly days: number
  /** UNIX seconds. */
  readonly now: () => number
  readonly random: (length: number) => Uint8Array
}

export function createOutbox(options: OutboxOptions): Outbox {
  const { store, wrapper, days, now, random } = options
  const writeWith = (user: string, event: NewEvent, id: Uint8Array): WriteOf<'append-event'> => {
    const time = now()
    const payloadWrapped = wrapper.wrap(encodeEvent(event, time), contextOf(user, id))
    return { kind: 'append-event', user, id, payloadWrapped, now: time, expiresAt: time + days * day }
  }
  const unwrap = ({ user, id, payloadWrapped }: EventRecord): Uint8Array =>
    wrapper.unwrap(payloadWrapped, contextOf(user, id))
  return {
    writeOf: (user, event) => writeWith(user, event, random(16)),
    push: async (user, event, { id, owner } = {}, before = []) => {
      if (!userForm.test(user)) throw new ProblemError('not_found', 'no such user')
      if (reservedTypes.has(event.type))
        throw new ProblemError('payload_invalid', 'this event type is reserved for the service')
      const write = writeWith(user, event, id === undefined ? random(16) : idOf(id, owner))
      const result = await store.commit([...before, write])
      if (result.kind === 'refused' && result.write !== write)
        throw new ProblemError('replayed', 'the push was already received')
      const stored = await store.findEvent(user, write.id)
      if (stored === undefined) throw new ProblemError('not_found', 'no such user')
      const isNew = result.kind === 'committed'
      if (!isNew) assertSame(unwrap(stored), event)
      return { sequence: stored.sequence, isNew }
    },
    read: async (user, after, limit) => {
      const { first, last, events } = await store.listEvents(user, after, limit)
      const from = Math.min(Math.max(after + 1, first), last + 1)
      return {
        from,
        first,
        last,
        events: events.map((record) => ({ sequence: record.sequence, event: unwrap(record) })),
      }
    },
  }
}

/** By id: an event has no number before it is stored. */
function contextOf(user: string, id: Uint8Array) {
  return secretContext('events.payload_wrapped', [user, id])
}

/** The id of an event. Owners contain no line break, so the encoding is unambiguous. */
function idOf(text: string, owner = ''): Uint8Array {
  if (text === '' || text.length > 255)
    throw new ProblemError('payload_invalid', 'the id of a push must have 1 to 255 characters')
  return new Uint8Array(
    createHash('sha256').update(`push id\n${owner}\n${text}`, 'utf8').digest().subarray(0, 16),
  )
}

/** Compares everything but the time. @throws ProblemError `idempotency_mismatch` */
function assertSame(stored: Uint8Array, event: NewEvent): void {
  const { type, data } = parseEvent(decodeUtf8(stored))
  if (type === event.type && isDeepStrictEqual(data, JSON.parse(JSON.stringify(event.data)))) return
  throw new ProblemError('idempotency_mismatch', 'the id belongs to another event')
}

/**
 * Writes of the event `new-device`, for the commit that enrols a device.
 *
 * @returns nothing for a user without another device
 * @throws StoreUnavailable
 */
export async function newDeviceEvents(
  { store, outbox }: { readonly store: Pick<Store, 'listDevices'>; readonly outbox: Pick<Outbox, 'writeOf'> },
  user: string,
  device: string,
  platform: string | undefined,
): Promise<readonly Write[]> {
  const devices = await store.listDevices(user)
  if (!devices.some(({ id, revokedAt }) => revokedAt === null && id !== device)) return []
  return [
    outbox.writeOf(user, serviceEvent('new-device', { device, platform: platform ?? null, name: null })),
  ]
}

/** The write of the event `device-revoked`, for the commit that revokes a device. */
export function revokedDeviceEvent(outbox: Pick<Outbox, 'writeOf'>, user: string, device: string): Write {
  return outbox.writeOf(user, serviceEvent('device-revoked', { device }))
}
