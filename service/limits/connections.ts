/** Bounds open connections, so that those that say nothing do not keep others out. */
import type { Server } from 'node:http'
import type { LimitSettings } from './settings.ts'
import { sourceOf } from './source.ts'

/**
 * Closes connections over the limits as soon as they are made. Node itself counts all of them; behind trusted proxies
 * that is the only count, since every connection then comes from a proxy.
 */
export function guardConnections(
  server: Server,
  { connections, connections_ip }: LimitSettings,
  trustedProxies: number,
): void {
  server.maxConnections = connections
  if (trustedProxies > 0) return
  const open = new Map<string, number>()
  server.on('connection', (socket) => {
    const source = sourceOf(socket.remoteAddress, undefined, 0)
    const count = (open.get(source) ?? 0) + 1
    open.set(source, count)
    socket.once('close', () => {
      const left = (open.get(source) ?? 1) - 1
      if (left === 0) open.delete(source)
      else open.set(source, left)
    })
    if (count > connections_ip) socket.destroy()
  })
}
