/** A slow connection between a client and a service. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

export interface SlowLine {
  readonly origin: string
  readonly url: string
  close(): void
}

/** Forwards requests immediately and responses at `speed` bytes per millisecond. */
export async function slowLine(origin: string, speed: number): Promise<SlowLine> {
  const server = createServer((client) => {
    const upstream = connect(Number(new URL(origin).port), '127.0.0.1')
    client.on('error', () => upstream.destroy())
    upstream.on('error', () => client.destroy())
    client.pipe(upstream)
    upstream.on('data', (chunk) => {
      upstream.pause()
      const resume = (): unknown => setTimeout(() => upstream.resume(), chunk.length / speed)
      if (client.write(chunk)) resume()
      else client.once('drain', resume)
    })
    upstream.on('close', () => client.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const url = `http://127.0.0.1:${address.port}`
  return { origin: url, url, close: () => server.close() }
}
