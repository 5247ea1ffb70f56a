/** Entries about ended sessions, revoked devices and changed service keys, derived from the writes. */
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import type { Store, Write } from '../store/store.ts'
import type { Appender } from './appender.ts'
import { definedMembers, type LogEntryInput } from './entry.ts'

interface EndedBy {
  readonly by: 'user' | 'operator'
  readonly user: string
  readonly app?: string | undefined
}

interface End {
  readonly reason: string
  readonly scope: 'session' | 'other-sessions' | 'device' | 'other-devices'
  readonly session?: string
  readonly device?: string
}

const deviceRevoked = 'device-revoked'

/** One entry for each write that ends a session or a device; a device's entry covers its sessions. */
export function sessionEndEntries(
  appender: Appender,
  writes: readonly Write[],
  ended: EndedBy,
): readonly LogEntryInput[] {
  return writes.flatMap((write) => {
    const end = endOf(write)
    return end === undefined ? [] : [endLeaf(appender, end, ended)]
  })
}

function endOf(write: Write): End | undefined {
  switch (write.kind) {
    case 'end-session':
      return { reason: write.reason, scope: 'session', session: encodeBase64Url(write.id) }
    case 'end-other-sessions':
      return { reason: write.reason, scope: 'other-sessions' }
    case 'revoke-device':
      return { reason: deviceRevoked, scope: 'device', device: write.id }
    case 'revoke-other-devices':
      return { reason: deviceRevoked, scope: 'other-devices' }
    default:
      return undefined
  }
}

function endLeaf(appender: Appender, end: End, { by, user, app }: EndedBy): LogEntryInput {
  const { reason, scope, session, device } = end
  const sub = definedMembers({ user, session, device })
  return { ...appender.systemEntry('session-ended', { by, reason, scope }), app, groups: { sub } }
}

/** Wraps a store: commits an entry with each write to a service key. The entry contains public facts only. */
export function logKeyChanges(store: Store, appender: Pick<Appender, 'systemWrite'>): Store {
  return {
    ...store,
    commit: async (writes) => {
      const keyEntries = writes.flatMap((write) => {
        const facts = factsOf(write)
        return facts === undefined ? [] : [appender.systemWrite('key-rotated', facts)]
      })
      return await store.commit([...writes, ...keyEntries])
    },
  }
}

function factsOf(write: Write): FlatObject | undefined {
  switch (write.kind) {
    case 'insert-service-key': {
      const { kind, kid, notBefore } = write.key
      return { change: 'made', key: kind, kid, not_before: notBefore }
    }
    case 'activate-service-key':
      return { change: 'starts', key: write.keyKind, kid: write.kid, not_before: write.notBefore }
    case 'retire-service-key':
      return { change: 'ends', key: write.keyKind, kid: write.kid, not_after: write.notAfter }
    case 'revoke-service-key':
      return { change: 'ended', key: write.keyKind, kid: write.kid, not_after: write.now }
    default:
      return undefined
  }
}
