/** The users' outboxes: events go in wrapped and numbered, and come out in order. */
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { ProtocolError } from 'miniseal-protocol/errors'
import type { SequencedEvent } from 'miniseal-protocol/frames/session-keys'
import { decodeUtf8 } from 'miniseal-protocol/text'
import { secretContext } from '../keys/wrapping.ts'
import type { SecretWrapper } from '../keys/wrapping.ts'
import type { EventRecord } from '../store/events.ts'
import type { Store, Write, WriteOf } from '../store/store.ts'
import type { NewEvent } from './event.ts'
import { encodeEvent, isOwnType, parseEvent } from './event.ts'

/** What has become of a push. */
export interface Pushed {
  /** The event's number in the user's outbox, from 1. */
  readonly sequence: number
  /** False when an earlier push had the same id: nothing was stored. */
  readonly isNew: boolean
}

/** One moment of an outbox, from a position on. */
export interface EventPage {
  /** The number of the first event after the position that is or will be there. */
  readonly from: number
  /** The number of the oldest event that is kept; `last + 1` when none is. */
  readonly first: number
  /** The number of the newest event; 0 before the first one. */
  readonly last: number
  /** Without a gap, from `from` on. */
  readonly events: readonly SequencedEvent[]
}

export interface PushOptions {
  /** The same id is the same event: of any number of pushes one is stored. 1 to 255 characters. */
  readonly id?: string
}

/** A push of somebody outside. */
export interface OwnedPushOptions extends PushOptions {
  /** Whose ids these are: the name of a push key. Others may use the same ids for other events. */
  readonly owner?: string
}

export interface Outbox {
  /**
   * The write that pushes an event in a commit with others, all or none of them.
   *
   * @throws ProtocolError `payload_invalid` for what is no event.
   */
  writeOf(user: string, event: NewEvent): WriteOf<'append-event'>
  /**
   * Stores an event for a user; whoever of their devices has subscribed gets it now, the others when they come.
   * Durable when it resolves.
   *
   * @param before writes of the same commit
   * @throws ProtocolError `payload_invalid` for what is no event, and for a type that is the service's own;
   *   `not_found` for a user who never logged in;
   *   `idempotency_mismatch` when the id stands for another event; `replayed` when a write of `before` is refused.
   * @throws StoreUnavailable when nobody knows whether it is stored: push it again with the same id.
   */
  push(user: string, event: NewEvent, options?: OwnedPushOptions, before?: readonly Write[]): Promise<Pushed>
  /** At most `limit` events after the number `after`. @throws StoreUnavailable */
  read(user: string, after: number, limit: number): Promise<EventPage>
}

/** A wider form than that of our pseudonyms: what a database takes. */
const userForm = /^[\x21-\x7e]{1,128}$/

/** Seconds. */
const day = 86_400

export interface OutboxParts {
  readonly store: Pick<Store, 'commit' | 'findEvent' | 'listEvents'>
  readonly wrapper: SecretWrapper
  /** For how long an event is kept. */
  readonly days: number
  /** UNIX seconds. */
  readonly now: () => number
  readonly random: (length: number) => Uint8Array
}

export function createOutbox(parts: OutboxParts): Outbox {
  const { store, wrapper, days, now, random } = parts
  const writeWith = (user: string, event: NewEvent, id: Uint8Array): WriteOf<'append-event'> => {
    const time = now()
    const payloadWrapped = wrapper.wrap(encodeEvent(event, time), contextOf(user, id))
    return { kind: 'append-event', user, id, payloadWrapped, now: time, expiresAt: time + days * day }
  }
  const unwrap = ({ user, id, payloadWrapped }: EventRecord): Uint8Array =>
    wrapper.unwrap(payloadWrapped, contextOf(user, id))
  return {
    writeOf: (user, event) => writeWith(user, event, random(16)),
    push: async (user, event, options = {}, before = []) => {
      if (!userForm.test(user)) throw new ProtocolError('not_found', 'there is no such user')
      if (isOwnType(event.type))
        throw new ProtocolError('payload_invalid', 'events of this type are made by the service alone')
      const write = writeWith(
        user,
        event,
        options.id === undefined ? random(16) : idOf(options.id, options.owner),
      )
      const result = await store.commit([...before, write])
      if (result.kind === 'refused' && result.write !== write)
        throw new ProtocolError('replayed', 'the push was received before')
      const stored = await store.findEvent(user, write.id)
      if (stored === undefined) throw new ProtocolError('not_found', 'there is no such user')
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

/** By id and not by number: an event has no number before it is stored. */
function contextOf(user: string, id: Uint8Array) {
  return secretContext('events.payload_wrapped', [user, id])
}

/** Names of owners hold no line break; nobody outside is the owner without a name. */
function idOf(text: string, owner = ''): Uint8Array {
  if (text === '' || text.length > 255)
    throw new ProtocolError('payload_invalid', 'the id of a push has 1 to 255 characters')
  return new Uint8Array(
    createHash('sha256').update(`push id\n${owner}\n${text}`, 'utf8').digest().subarray(0, 16),
  )
}

/** The time of a repeated push is another one; all else must be as it was. */
function assertSame(stored: Uint8Array, event: NewEvent): void {
  const { type, data } = parseEvent(decodeUtf8(stored))
  if (type === event.type && isDeepStrictEqual(data, JSON.parse(JSON.stringify(event.data)))) return
  throw new ProtocolError('idempotency_mismatch', 'the id was used for another event')
}
