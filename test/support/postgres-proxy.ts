/** A proxy in front of PostgreSQL that counts messages and can act like a pooler. */
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

export interface PostgresProxy extends TcpProxy {
  /** Messages to the server since the last call: `S` sync, `Q` simple query, and the names of prepared statements (`P`). */
  take(): { readonly syncs: number; readonly queries: number; readonly names: readonly string[] }
}

/** @param asPooler reports a process id to clients that differs from the backend's, as poolers do */
export async function startPostgresProxy(target: string, asPooler = false): Promise<PostgresProxy> {
  let seen = { syncs: 0, queries: 0, names: [] as string[] }
  const proxy = await startTcpProxy(target, (client, upstream) => {
    const count = messageReader((type, body) => {
      if (type === 'S') seen.syncs += 1
      if (type === 'Q') seen.queries += 1
      if (type === 'P' && body[0] !== 0) seen.names.push(body.subarray(0, body.indexOf(0)).toString())
    }, false)
    const hear = messageReader((type, body) => {
      if (asPooler && type === 'K') body.writeInt32BE(1, 0)
    }, true)
    client.on('data', (data: Buffer) => {
      count(data)
      upstream.write(data)
    })
    upstream.on('data', (data: Buffer) => {
      hear(data)
      client.write(data)
    })
  })
  return {
    ...proxy,
    take() {
      const taken = seen
      seen = { syncs: 0, queries: 0, names: [] }
      return taken
    },
  }
}

/** Calls `take` with each complete message; a message in several chunks is copied into one buffer. */
function messageReader(take: (type: string, body: Buffer) => void, isTyped: boolean): (data: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  // The first message of a client has no type.
  let start = isTyped ? 1 : 0
  const endOf = (left: Buffer): number =>
    left.length < start + 4 ? Number.POSITIVE_INFINITY : start + left.readInt32BE(start)
  return (data) => {
    let left = rest.length === 0 ? data : Buffer.concat([rest, data])
    for (let end = endOf(left); end <= left.length; end = endOf(left)) {
      if (start === 1) take(String.fromCharCode(left[0] ?? 0), left.subarray(5, end))
      start = 1
      left = left.subarray(end)
    }
    rest = left
  }
}
