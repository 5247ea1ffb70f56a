/** A man in the middle between phones and the service: copies, delays, drops and releases encrypted frames. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { fetchTransport } from '../../miniprogram/client/node.ts'
import type { Transport, TransportAnswer } from '../../miniprogram/client/transports/transport.ts'

/** Forwards a frame to the service. Rejects when it cannot be reached. */
type Pass = (frame: Uint8Array) => Promise<TransportAnswer>

/** Handles a frame: returns the response for the phone; `undefined` closes the connection. */
export type Treatment = (frame: Uint8Array, pass: Pass) => Promise<TransportAnswer | undefined>

export const honest: Treatment = (frame, pass) => pass(frame)

export class LyingNetwork {
  /** Applies to every frame from now on. */
  treat: Treatment = honest
  readonly pass: Pass
  private readonly origin: string
  private readonly target: string
  private readonly server: Server
  private address = ''

  /**
   * @param origin of the service, as phones know it
   * @param target where it listens
   */
  constructor(origin: string, target: string = origin) {
    const inner = fetchTransport()
    const headers = { 'content-type': 'application/vnd.miniseal' }
    this.origin = origin
    this.target = target
    this.pass = (body) => {
      return inner.send({ url: `${target}/seal`, method: 'POST', headers, body, timeoutMs: 20_000 })
    }
    this.server = createServer((request, response) => void this.carry(request, response))
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve))
    const address = this.server.address()
    if (address === null || typeof address === 'string') throw new Error('it does not listen')
    this.address = `http://127.0.0.1:${address.port}`
  }

  close(): void {
    this.server.closeAllConnections()
    this.server.close()
  }

  /** The transport of a phone behind this network. */
  transport(): Transport {
    const inner = fetchTransport()
    return {
      send: (request) => inner.send({ ...request, url: request.url.replace(this.origin, this.address) }),
    }
  }

  private async carry(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const parts: Buffer[] = []
      for await (const part of request) parts.push(part)
      const frame = new Uint8Array(Buffer.concat(parts))
      const answer =
        request.method === 'POST' ? await this.treat(frame, this.pass) : await this.read(request.url ?? '')
      if (answer === undefined) response.destroy()
      else response.writeHead(answer.status, answer.headers).end(answer.body)
    } catch {
      response.destroy()
    }
  }

  private async read(path: string): Promise<TransportAnswer> {
    const answer = await fetch(`${this.target}${path}`)
    const type = answer.headers.get('content-type') ?? ''
    return {
      ...{ status: answer.status, headers: { 'content-type': type } },
      body: new Uint8Array(await answer.arrayBuffer()),
    }
  }
}
