/** The leaves that tell of the service's own keys: each change is committed with one. */
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import type { Store, Write } from '../store/store.ts'
import type { Appender } from './appender.ts'

/**
 * The same store, for whoever changes keys: what is written to a service key is committed with a leaf that says so. All
 * that a leaf says is public anyway.
 */
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
