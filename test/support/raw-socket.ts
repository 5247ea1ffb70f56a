/** The socket of a test's client: frames out of `raw-client.ts`, over a WebSocket of `ws`. */
import type { ClientOptions, RawData } from 'ws'
import { WebSocket } from 'ws'
import type { ResponseMessage } from '../../crypto/frames/binary-http.ts'
import { findField } from '../../crypto/frames/binary-http.ts'
import type { EventFrame } from '../../crypto/frames/frame.ts'
import { parseFrame } from '../../crypto/frames/frame.ts'
import type { SequencedEvent, SessionKeys } from '../../crypto/frames/session-keys.ts'
import { openEvent } from '../../crypto/frames/session-keys.ts'
import { decodeUtf8, encodeBase64Url } from '../../crypto/text.ts'
import { sodiumPrimitives as primitives } from '../../service/keys/sodium-primitives.ts'
import type { Prepared, RawSession, ReceivedReply, RequestParts } from './raw-client.ts'
import type { TestService } from './service.ts'

const maxFrame = 1_048_576

export interface SocketClosed {
  readonly code: number
  readonly reason: string
}

interface Waiting {
  readonly open: Prepared['open']
  readonly resolve: (reply: ReceivedReply) => void
  readonly reject: (error: Error) => void
}

export interface SocketOptions {
  readonly protocols?: readonly string[]
  readonly client?: ClientOptions
}

export class RawSocket {
  readonly ws: WebSocket
  /** Resolves when it is open; rejects with the status of a refused upgrade. */
  readonly opened: Promise<void>
  readonly closed: Promise<SocketClosed>
  /** All that came in frames 0x05, in the order they came. */
  readonly events: SequencedEvent[] = []
  /** Called with each of them. */
  onEvent: (event: SequencedEvent) => void = () => {}
  /** The problem documents of all frames 0x0f. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever members they expect
  readonly refusals: any[] = []
  /** Opens frames 0x05; set by the first session that sends. */
  keys: SessionKeys | undefined
  /** The kinds of all frames that came. */
  readonly kinds: string[] = []
  readonly #waiting = new Map<string, Waiting>()

  constructor(service: Pick<TestService, 'url' | 'origin'>, options: SocketOptions = {}) {
    const url = `${(service.url ?? service.origin).replace(/^http/, 'ws')}/seal`
    this.ws = new WebSocket(url, [...(options.protocols ?? ['miniseal.v1'])], options.client)
    this.opened = new Promise((resolve, reject) => {
      this.ws.once('open', resolve)
      this.ws.once('unexpected-response', (_request, response) => {
        reject(new Error(`refused with ${response.statusCode}`))
        this.ws.terminate()
      })
      this.ws.once('error', reject)
    })
    this.closed = new Promise((resolve) => {
      this.ws.once('close', (code, reason) => {
        for (const { reject } of this.#waiting.values()) reject(new Error(`closed with ${code}`))
        resolve({ code, reason: String(reason) })
      })
    })
    this.ws.on('error', () => undefined)
    this.opened.catch(() => undefined)
    this.ws.on('message', (data: RawData, isBinary: boolean) => {
      if (!isBinary || !Buffer.isBuffer(data)) throw new Error('not one binary message')
      this.#hear(new Uint8Array(data))
    })
  }

  /** Sends a prepared frame; resolves with the response paired to it. */
  send(prepared: Prepared): Promise<ReceivedReply> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(nameOf(prepared.frame), { open: prepared.open, resolve, reject })
      this.ws.send(prepared.frame)
    })
  }

  /** A request of `session`. */
  request(session: RawSession, parts: RequestParts = {}): Promise<ReceivedReply> {
    this.keys ??= session.keys
    return this.send(session.prepare(parts))
  }

  subscribe(session: RawSession, after: number): Promise<ReceivedReply> {
    const path = '/events/subscription'
    return this.request(session, { method: 'POST', path, key: undefined, body: { after } })
  }

  #hear(bytes: Uint8Array): void {
    const frame = parseFrame(bytes, maxFrame)
    this.kinds.push(frame.kind)
    if (frame.kind === 'response') this.#answer(encodeBase64Url(frame.requestNonce), bytes)
    else if (frame.kind === 'handshake-response') this.#answer('login', bytes)
    else if (frame.kind === 'event') this.#take(frame)
    else if (frame.kind === 'refusal') this.#refuse(frame.problem)
    else throw new Error(`a service does not send frames of the kind ${frame.kind}`)
  }

  #take(frame: EventFrame): void {
    if (this.keys === undefined) throw new Error('an event for nobody')
    const event = openEvent(primitives, this.keys, frame)
    this.events.push(event)
    this.onEvent(event)
  }

  #answer(name: string, bytes: Uint8Array): void {
    const waiting = this.#waiting.get(name)
    if (waiting === undefined) throw new Error('an answer to nothing')
    this.#waiting.delete(name)
    try {
      waiting.resolve(heardOf(waiting.open(bytes)))
    } catch (error) {
      waiting.reject(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #refuse(problem: Uint8Array): void {
    const json = JSON.parse(decodeUtf8(problem))
    this.refusals.push(json)
    const name = this.#waiting.has(json.request_nonce) ? json.request_nonce : 'login'
    const waiting = this.#waiting.get(name)
    this.#waiting.delete(name)
    waiting?.resolve({ kind: 'clear', outer: json.status, status: json.status, fields: [], json })
  }
}

/** The value that pairs the response with a frame. */
function nameOf(bytes: Uint8Array): string {
  const frame = parseFrame(bytes, maxFrame)
  return frame.kind === 'request' ? encodeBase64Url(frame.nonce) : 'login'
}

function heardOf({ status, fields, content }: ResponseMessage): ReceivedReply {
  const isJson = findField(fields, 'content-type')?.includes('json') ?? false
  const json: unknown = isJson ? JSON.parse(decodeUtf8(content)) : undefined
  return { kind: 'sealed', outer: 0, status, fields, json }
}

export async function openSocket(
  service: Pick<TestService, 'url' | 'origin'>,
  options: SocketOptions = {},
): Promise<RawSocket> {
  const socket = new RawSocket(service, options)
  await socket.opened
  return socket
}

/** The JSON of an event. */
// biome-ignore lint/suspicious/noExplicitAny: tests read whatever members they expect
export function eventJson({ event }: SequencedEvent): any {
  return JSON.parse(decodeUtf8(event))
}
