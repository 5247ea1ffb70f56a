/** A proxy in front of PostgreSQL that counts messages and can act like a pooler. */
import { connect, createServer, type Socket } from 'node:net'

export interface PostgresProxy {
  readonly url: string
  /** Messages to the server since it was asked last: `P` parse, `S` sync, `Q` simple query; and what was named. */
  take(): { readonly syncs: number; readonly queries: number; readonly names: readonly string[] }
  close(): Promise<void>
}

/** @param asPooler reports a process id to clients that differs from the backend's, as poolers do */
export async function startPostgresProxy(target: string, asPooler = false): Promise<PostgresProxy> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  let seen = { syncs: 0, queries: 0, names: [] as string[] }
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
    }
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
    client.on('close', () => upstream.end())
    upstream.on('close', () => client.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  const url = new URL(target)
  url.port = String(address.port)
  return {
    url: url.href,
    take() {
      const taken = seen
      seen = { syncs: 0, queries: 0, names: [] }
      return taken
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Gives each whole message of a chunk; one that goes over a chunk's end is put together, and given as a copy. */
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
