/** A backend behind the gateway, over real HTTP, that records its requests. */
import { once } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'

export interface Arrived {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface TestUpstream {
  readonly origin: string
  /** Everything that arrived so far. */
  readonly arrived: Arrived[]
  /** What arrived last. */
  last(): Arrived
  close(): void
}

/** @param answer sends the response, after the whole request was read */
export async function startUpstream(
  answer: (request: IncomingMessage, response: ServerResponse, body: string) => void,
): Promise<TestUpstream> {
  const arrived: Arrived[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += String(chunk)
    })
    request.on('end', () => {
      arrived.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body })
      answer(request, response, body)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    origin: `http://127.0.0.1:${address.port}`,
    arrived,
    last() {
      const last = arrived.at(-1)
      if (last === undefined) throw new Error('nothing arrived')
      return last
    },
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
