/** The leaves that tell of the ends of sessions and devices, made from the writes that end them. */
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { Write } from '../store/store.ts'
import type { Appender } from './appender.ts'
import type { LogEntryInput } from './entries.ts'

/** Who has ended it. */
export interface EndedBy {
  readonly by: 'user' | 'operator'
  readonly user: string
  readonly app?: string | undefined
}

type Scope = 'session' | 'other-sessions' | 'device' | 'other-devices'

interface End {
  readonly reason: string
  readonly scope: Scope
  readonly session?: string
  readonly device?: string
}

/** Why the sessions of a revoked device ended, in the store and in the log. */
const deviceRevoked = 'device-revoked'

/** One for each write that ends something. That of a device also tells of its sessions. */
export function endLeaves(
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
  const sub = {
    user,
    ...(session === undefined ? {} : { session }),
    ...(device === undefined ? {} : { device }),
  }
  return { ...appender.systemLeaf('session-ended', { by, reason, scope }), app, groups: { sub } }
}
