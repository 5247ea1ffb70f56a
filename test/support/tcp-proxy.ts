/** A TCP proxy in front of a server, which forwards what the test allows. */
import { connect, createServer, type Socket } from 'node:net'

export interface TcpProxy {
  /** The URL of the server with the proxy's address. */
  readonly url: string
  close(): Promise<void>
}

/** @param forward connects the data of a client and the server */
export async function startTcpProxy(
  target: string,
  forward: (client: Socket, upstream: Socket) => void,
): Promise<TcpProxy> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
    }
    forward(client, upstream)
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
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
