/** What the service tells Prometheus of sockets and events. */
import { Counter, Gauge, type Registry } from 'prom-client'
import type { Store } from '../store/store.ts'
import type { CutReason } from '../transport/pipelines.ts'
import type { SocketObserver } from '../transport/socket-settings.ts'

export interface SocketMetrics {
  readonly onSocket: SocketObserver
  /** A connection was closed for what it asks for. */
  readonly onCut: (reason: CutReason) => void
  /** The same store, its commits looked through for events. */
  countPushes(store: Store): Store
}

/** The codes that sockets end with; any other one is chosen by somebody outside. */
const knownCodes: ReadonlySet<number> = new Set([1000, 1001, 1005, 1006, 1009, 4400, 4401])

export function observeSockets(registry: Registry): SocketMetrics {
  const registers = [registry]
  const open = new Gauge({ name: 'miniseal_sockets_open', help: 'Open sockets of the channel.', registers })
  const closed = new Counter({
    name: 'miniseal_sockets_closed_total',
    help: 'Sockets that ended, by close code (1006: cut, or lost).',
    labelNames: ['code'],
    registers,
  })
  const pushed = new Counter({
    name: 'miniseal_events_pushed_total',
    help: 'Events that this process has stored.',
    registers,
  })
  const delivered = new Counter({
    name: 'miniseal_events_delivered_total',
    help: 'Events that this process has sent over a socket, repetitions included.',
    registers,
  })
  const cut = new Counter({
    name: 'miniseal_connections_cut_total',
    help: 'Connections closed for too many unanswered requests (pipelining), or for answers that they do not read (slow-reader).',
    labelNames: ['reason'],
    registers,
  })
  return {
    onCut: (reason) => cut.inc({ reason }),
    onSocket: {
      onOpen: () => open.inc(),
      onClose: (code) => {
        open.dec()
        closed.inc({ code: knownCodes.has(code) ? String(code) : 'other' })
      },
      onDelivered: () => delivered.inc(),
    },
    countPushes: (store) => ({
      ...store,
      commit: async (writes) => {
        const result = await store.commit(writes)
        if (result.kind === 'committed')
          pushed.inc(writes.filter(({ kind }) => kind === 'append-event').length)
        return result
      },
    }),
  }
}
