/** `wx.connectSocket` of the loopback `wx`: real WebSockets, at most five, callbacks never synchronous. */
import type { RawData } from 'ws'
import { WebSocket } from 'ws'
import type { Realm } from './wx-callbacks.ts'
import { bufferOf, later, ofRealm } from './wx-callbacks.ts'

export interface SocketOptions {
  readonly url: string
  readonly protocols?: readonly string[]
  fail?(failure: object): void
}

type Listen = (listener: (result: never) => void) => void

export interface LoopbackSocket {
  send(options: {
    readonly data: ArrayBuffer
    success?(result: unknown): void
    fail?(failure: { readonly errMsg: string }): void
  }): void
  close(options: { readonly code?: number; readonly reason?: string }): void
  onOpen(listener: (result: object) => void): void
  onMessage(listener: (result: { readonly data: ArrayBuffer | string }) => void): void
  onError(listener: (result: object) => void): void
  onClose(listener: (result: { readonly code: number; readonly reason: string }) => void): void
}

const MOST_SOCKETS = 5
const loopback = /^ws:\/\/(?:127\.0\.0\.1|localhost|\[::1\])[:/]/

/** Gives out sockets; `cut` ends them all as a lost network does. */
export class SocketPool {
  private readonly realm: Realm
  private readonly open = new Set<WebSocket>()

  constructor(realm: Realm) {
    this.realm = realm
  }

  cut(): void {
    for (const socket of this.open) socket.terminate()
  }

  connect(options: SocketOptions): LoopbackSocket {
    if (this.open.size >= MOST_SOCKETS || !loopback.test(options.url)) {
      later(() => options.fail?.(ofRealm({ errMsg: 'connectSocket:fail' }, this.realm)))
      return deadSocket
    }
    const socket = new WebSocket(options.url, [...(options.protocols ?? [])], { perMessageDeflate: false })
    this.open.add(socket)
    const reply = new Map<string, ((result: object) => void)[]>()
    const tell = (kind: string, result: object): void => {
      later(() => {
        for (const listener of reply.get(kind) ?? []) listener(ofRealm(result, this.realm))
      })
    }
    socket.on('open', () => tell('open', {}))
    socket.on('message', (data: RawData, isBinary) => tell('message', { data: this.dataOf(data, isBinary) }))
    socket.on('error', (error) => tell('error', { errMsg: error.message }))
    socket.on('close', (code, reason) => {
      this.open.delete(socket)
      tell('close', { code, reason: reason.toString() })
    })
    const on =
      (kind: string): Listen =>
      (listener) => {
        reply.set(kind, [...(reply.get(kind) ?? []), listener as (result: object) => void])
      }
    return {
      send: ({ data, success, fail }) => {
        socket.send(new Uint8Array(data), (error) =>
          error ? fail?.({ errMsg: error.message }) : success?.({}),
        )
      },
      close: ({ code = 1000, reason = '' }) => socket.close(code, reason),
      onOpen: on('open'),
      onMessage: on('message'),
      onError: on('error'),
      onClose: on('close'),
    }
  }

  private dataOf(data: RawData, isBinary: boolean): ArrayBuffer | string {
    const bytes = Buffer.isBuffer(data)
      ? data
      : Buffer.concat(Array.isArray(data) ? data : [Buffer.from(data)])
    return isBinary ? bufferOf(bytes, this.realm) : bytes.toString('utf8')
  }
}

const nothing = (): void => {}
const deadSocket: LoopbackSocket = {
  send: nothing,
  close: nothing,
  onOpen: nothing,
  onMessage: nothing,
  onError: nothing,
  onClose: nothing,
}
