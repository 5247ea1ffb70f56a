/**
 * One keep-alive connection that sends encoded requests, one at a time.
 *
 * A full HTTP client would use as much CPU as the service. This one supports only responses with Content-Length, which all
 * measured services send. Any other response is an error and ends the run.
 */
import { connect, type Socket } from 'node:net'

/** A response as it came; `body` is a view of what was read from the socket. */
export interface WireResponse {
  readonly status: number
  readonly head: string
  readonly body: Buffer
  /** Bytes of the whole response on the wire. */
  readonly bytes: number
}

const endOfHead = Buffer.from('\r\n\r\n')

export class Connection {
  readonly #socket: Socket
  #pending: Buffer = Buffer.alloc(0)
  #resolve: ((response: WireResponse) => void) | undefined
  #reject: ((error: Error) => void) | undefined
  #failure: Error | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the connection was closed')))
  }

  /** @throws Error when nothing listens there. */
  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1' })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new Connection(socket))
      })
    })
  }

  /** @throws Error when the connection ends first, or the response is not one that can be read here. */
  send(request: Buffer): Promise<WireResponse> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#resolve !== undefined) return Promise.reject(new Error('one request at a time'))
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      this.#socket.write(request)
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    try {
      const response = parseResponse(this.#pending)
      if (response === undefined) return
      if (response.bytes !== this.#pending.length)
        throw new Error('the response is longer than its Content-Length')
      const resolve = this.#resolve
      this.#pending = Buffer.alloc(0)
      this.#resolve = undefined
      this.#reject = undefined
      resolve?.(response)
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)))
      this.#socket.destroy()
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#reject?.(this.#failure)
    this.#resolve = undefined
    this.#reject = undefined
  }
}

/** @returns `undefined` while the response is not complete. @throws Error for a response without a length. */
export function parseResponse(bytes: Buffer): WireResponse | undefined {
  const end = bytes.indexOf(endOfHead)
  if (end === -1) return undefined
  const head = bytes.toString('latin1', 0, end)
  const length = /\r\ncontent-length: *([0-9]+)/i.exec(head)?.[1]
  const status = /^HTTP\/1\.1 ([0-9]{3}) /.exec(head)?.[1]
  if (status === undefined || length === undefined)
    throw new Error(`a response that cannot be read: ${head.slice(0, 200)}`)
  const total = end + endOfHead.length + Number(length)
  if (bytes.length < total) return undefined
  return { status: Number(status), head, body: bytes.subarray(end + endOfHead.length, total), bytes: total }
}

/** The value of a field of a response's head. */
export function fieldOf({ head }: WireResponse, name: string): string | undefined {
  return new RegExp(`\\r\\n${name}: *([^\\r]*)`, 'i').exec(head)?.[1]
}

/** A request as bytes, with the fields that a client of a mini program sends too. */
export function requestBytes(
  method: string,
  path: string,
  fields: Readonly<Record<string, string>>,
  body: Uint8Array | string,
): Buffer {
  const content = Buffer.from(body)
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  const length = method === 'GET' ? '' : `content-length: ${content.length}\r\n`
  const head = `${method} ${path} HTTP/1.1\r\nhost: pay.example.com\r\n${lines.join('')}${length}\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), content])
}
