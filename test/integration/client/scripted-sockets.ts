/** The socket of the scripted service: frames in and out, events as the test makes them, cuts as the test likes. */
import { randomBytes } from 'node:crypto'
import type { RequestMessage, ResponseMessage } from '../../../crypto/frames/binary-http.ts'
import { encodeFrame } from '../../../crypto/frames/frame.ts'
import { type SessionKeys, sealEvent } from '../../../crypto/frames/session-keys.ts'
import { decodeUtf8, encodeUtf8 } from '../../../crypto/text.ts'
import type { Socket, SocketListener, TransportAnswer } from '../../../miniprogram/client/index.ts'
import { json } from './scripted-answers.ts'
import type { ScriptedService } from './scripted-service.ts'

interface OpenSocket {
  readonly listener: SocketListener
  /** Where its subscription is; `undefined` before there is one. */
  next: number | undefined
  keys: SessionKeys | undefined
  isClosed: boolean
}

/** Gives a scripted service `connect`, events and `GET /events`. */
export class ScriptedSockets {
  readonly sockets: OpenSocket[] = []
  /** Bodies of the subscriptions. */
  readonly subscriptions: unknown[] = []
  /** Requests that came over a socket. */
  readonly paths: string[] = []
  /** The first event that is still kept. */
  first = 1
  /** As on a sleeping phone: sent data is lost without an error. */
  isAsleep = false
  /** Sequence numbers that are not sent, once each. */
  readonly dropped = new Set<number>()
  private readonly service: ScriptedService
  private last = 0

  constructor(service: ScriptedService) {
    this.service = service
    service.decide = (request) => this.decide(request)
    service.connect = (_url, _protocol, listener) => this.connect(listener)
  }

  /** Makes an event for the user. */
  push(count = 1): void {
    this.last += count
    this.flush()
  }

  /** Sends an event once more, on every socket. */
  repeat(sequence: number): void {
    for (const socket of this.open) this.sendEvent(socket, sequence)
  }

  /** Ends every socket. */
  cut(code = 1006, reason = ''): void {
    for (const socket of this.open) this.close(socket, code, reason)
  }

  get open(): OpenSocket[] {
    return this.sockets.filter(({ isClosed }) => !isClosed)
  }

  private connect(listener: SocketListener): Socket {
    const socket: OpenSocket = { listener, next: undefined, keys: undefined, isClosed: false }
    this.sockets.push(socket)
    setTimeout(() => {
      if (!this.isAsleep) listener.opened()
    }, 0)
    return {
      send: (frame) => setTimeout(() => this.receive(socket, frame), 0),
      close: () => {
        socket.isClosed = true
      },
    }
  }

  private receive(socket: OpenSocket, frame: Uint8Array): void {
    if (socket.isClosed || this.isAsleep) return
    const count = this.subscriptions.length
    const { answer, keys, request } = this.service.answerFrame(frame)
    if (request !== undefined) this.paths.push(`${request.method} ${request.path}`)
    socket.keys = keys
    socket.listener.received(answerFrameOf(answer))
    const body = this.subscriptions[count]
    if (body !== undefined) socket.next = this.position((body as { after: number }).after).from
    this.flush()
  }

  private flush(): void {
    for (const socket of this.open) {
      while (socket.next !== undefined && socket.next <= this.last && socket.keys !== undefined) {
        const sequence = socket.next++
        if (this.isAsleep || this.dropped.delete(sequence)) continue
        this.sendEvent(socket, sequence)
      }
    }
  }

  private sendEvent({ listener, keys }: OpenSocket, sequence: number): void {
    if (keys === undefined) return
    const event = encodeUtf8(JSON.stringify(eventOf(sequence)))
    listener.received(sealEvent(this.service.primitives, keys, randomBytes(24), { sequence, event }))
  }

  private close(socket: OpenSocket, code: number, reason: string): void {
    socket.isClosed = true
    socket.listener.closed(code, reason)
  }

  private decide({ path, content }: RequestMessage): ResponseMessage | undefined {
    if (path === '/events/subscription') {
      const body = JSON.parse(decodeUtf8(content)) as { after: number }
      this.subscriptions.push(body)
      return json(200, this.position(body.after))
    }
    const after = /^\/events\?after=(\d+)$/.exec(path)?.[1]
    if (after === undefined) return undefined
    const position = this.position(Number(after))
    const page = Array.from({ length: Math.min(100, this.last - position.from + 1) }, (_, index) => ({
      sequence: position.from + index,
      ...eventOf(position.from + index),
    }))
    return json(200, { events: page, ...position })
  }

  private position(after: number): { from: number; first: number; last: number } {
    const from = Math.min(Math.max(this.first, after + 1), this.last + 1)
    return { from, first: this.first, last: this.last }
  }
}

function eventOf(sequence: number): object {
  return { type: 'test', data: { number: sequence }, time: 1 }
}

function answerFrameOf({ status, body }: TransportAnswer): Uint8Array {
  return status === 200 ? body : encodeFrame({ kind: 'refusal', problem: body })
}
