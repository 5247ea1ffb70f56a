/** Bounds open connections, so that those that say nothing do not keep others out. */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { LRUCache } from 'lru-cache'
import type { LimitSettings } from './settings.ts'
import { sourceOf } from './source.ts'

/** Connections of one source that may be cut for costing too much, within {@link refusedFor}, before all of them are closed. */
const maxCuts = 8

/** Milliseconds for which a source is refused afterwards. */
const refusedFor = 10_000

export interface ConnectionGuard {
  /** A connection was cut for what it sent, after it had cost far more than its bytes. */
  reportCostly(socket: Socket): void
}

/**
 * Closes connections over the limits as soon as they are made, and those of a source that goes on sending what is cut. Node
 * itself counts all of them; behind trusted proxies that is the only count, since every connection then comes from a proxy.
 */
export function guardConnections(
  server: Server,
  { connections, connections_ip }: LimitSettings,
  trustedProxies: number,
): ConnectionGuard {
  server.maxConnections = connections
  if (trustedProxies > 0) return { reportCostly: () => undefined }
  const open = new Map<string, Set<Socket>>()
  const cuts = new LRUCache<string, number>({ max: 10_000, ttl: refusedFor })
  const isRefused = (source: string): boolean => (cuts.get(source) ?? 0) >= maxCuts
  server.on('connection', (socket) => {
    const source = addressOf(socket)
    const own = open.get(source) ?? new Set()
    open.set(source, own.add(socket))
    socket.once('close', () => {
      own.delete(socket)
      if (own.size === 0) open.delete(source)
    })
    if (own.size > connections_ip || isRefused(source)) socket.destroy()
  })
  return {
    reportCostly(socket) {
      const source = addressOf(socket)
      cuts.set(source, (cuts.get(source) ?? 0) + 1)
      if (isRefused(source)) for (const other of open.get(source) ?? []) other.destroy()
    },
  }
}

/** A socket that is closed has no address any more. */
const addresses = new WeakMap<Socket, string>()

function addressOf(socket: Socket): string {
  const address = addresses.get(socket) ?? sourceOf(socket.remoteAddress, undefined, 0)
  addresses.set(socket, address)
  return address
}
