/** The entry point for Node: scripts and tests of a backend. Adds a transport over `fetch`. */
import { ChannelError } from './errors.ts'
import type { Transport, TransportAnswer, TransportRequest } from './transports/transport.ts'

export * from './index.ts'

interface FetchAnswer {
  readonly status: number
  readonly headers: { forEach(visit: (value: string, name: string) => void): void }
  arrayBuffer(): Promise<ArrayBuffer>
}

interface FetchOptions {
  readonly method: string
  readonly headers: Record<string, string>
  readonly body?: ArrayBuffer
  readonly redirect: 'error'
  readonly signal: unknown
}

// Only the members used here, so that the client compiles without the types of any platform.
declare const fetch: (url: string, options: FetchOptions) => Promise<FetchAnswer>
declare const AbortSignal: { timeout(milliseconds: number): unknown }

/** A transport over the platform's `fetch`. Redirects fail, because a request is sealed for one service. */
export function fetchTransport(): Transport {
  return { send }
}

async function send(request: TransportRequest): Promise<TransportAnswer> {
  try {
    const answer = await fetch(request.url, {
      method: request.method,
      headers: { ...request.headers },
      redirect: 'error',
      signal: AbortSignal.timeout(request.timeoutMs),
      ...(request.body === undefined ? {} : { body: new Uint8Array(request.body).buffer }),
    })
    const headers: Record<string, string> = {}
    answer.headers.forEach((value, name) => {
      headers[name.toLowerCase()] = value
    })
    return { status: answer.status, headers, body: new Uint8Array(await answer.arrayBuffer()) }
  } catch (cause) {
    const isTimeout = cause instanceof Error && cause.name === 'TimeoutError'
    throw new ChannelError(isTimeout ? 'timeout' : 'network', 'fetch failed', { cause })
  }
}
