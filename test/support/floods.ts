/** Hostile traffic over raw sockets, each flood from its own loopback address. */
import type { Socket } from 'node:net'
import { connect } from 'node:net'

/** The target and source address of a flood. */
export interface Aim {
  readonly port: number
  /** For example `127.0.0.66`. */
  readonly from: string
}

export interface Flood {
  /** Answers by their status, and connections that ended without one. */
  readonly counts: Record<string, number>
  stop(): Promise<void>
}

function open({ port, from }: Aim): Socket {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from })
  // The service is expected to close these connections.
  socket.on('error', () => undefined)
  return socket
}

/** Keeps `width` connections of one kind open; each is replaced `pause` milliseconds after it has ended. */
function keepOpen(aim: Aim, width: number, pause: number, use: (socket: Socket) => void): Flood {
  const counts: Record<string, number> = {}
  const sockets = new Set<Socket>()
  let isStopped = false
  const start = (): void => {
    if (isStopped) return
    const socket = open(aim)
    sockets.add(socket)
    let status = 'cut'
    socket.on('data', (chunk) => {
      const [, output] = /^HTTP\/1\.1 (\d{3})/.exec(String(chunk.subarray(0, 12))) ?? []
      if (output !== undefined) status = output
    })
    socket.on('close', () => {
      sockets.delete(socket)
      counts[status] = (counts[status] ?? 0) + 1
      setTimeout(start, pause)
    })
    socket.on('connect', () => use(socket))
  }
  for (let i = 0; i < width; i++) start()
  return {
    counts,
    async stop() {
      isStopped = true
      const ended = [...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)))
      for (const socket of sockets) socket.destroy()
      await Promise.all(ended)
    },
  }
}

/** A request that announces a body of `length`. */
export function headOf(length: number): string {
  return `POST /seal HTTP/1.1\r\nhost: flood\r\nconnection: close\r\ncontent-type: application/vnd.miniseal\r\ncontent-length: ${length}\r\n\r\n`
}

/** Sends whole frames, one for each connection. */
export function floodFrames(aim: Aim, width: number, frame: () => Uint8Array): Flood {
  return keepOpen(aim, width, 5, (socket) => {
    const bytes = frame()
    socket.write(headOf(bytes.length))
    socket.write(bytes)
  })
}

/** Announces a body of `length` and sends all but its last byte. */
export function floodSlowBodies(aim: Aim, width: number, length: number): Flood {
  const almost = Buffer.alloc(length - 1, 1)
  return keepOpen(aim, width, 250, (socket) => {
    socket.write(headOf(length))
    socket.write(almost)
  })
}

/** Sends the beginning of a request line, or nothing, and waits. */
export function floodHalfOpen(aim: Aim, width: number): Flood {
  let made = 0
  return keepOpen(aim, width, 50, (socket) => {
    made += 1
    if (made % 2 === 0) socket.write('POST /seal HT')
  })
}

const upgrade =
  'GET /seal HTTP/1.1\r\nhost: flood\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-protocol: miniseal.v1\r\n\r\n'

/** The beginning of a masked binary message of 1 MiB (RFC 6455, section 5.2). */
const messageHead = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0])

/** Opens sockets and sends `length` bytes of an unfinished message over each. */
export function floodSockets(aim: Aim, width: number, length: number): Flood {
  const message = Buffer.concat([messageHead, Buffer.alloc(length, 1)])
  return keepOpen(aim, width, 50, (socket) => {
    socket.write(upgrade)
    socket.once('data', () => socket.write(message))
  })
}

/** Opens sockets and fills them with messages that are no frames. */
export function floodGarbageSockets(aim: Aim, width: number): Flood {
  const message = Buffer.concat([Buffer.from([0x82, 0xfe, 1, 0, 0, 0, 0, 0]), Buffer.alloc(256, 1)])
  const messages = Buffer.concat(Array.from({ length: 200 }, () => message))
  return keepOpen(aim, width, 50, (socket) => {
    socket.write(upgrade)
    socket.once('data', () => socket.write(messages))
  })
}

/** A connection that sends once and then idles. */
export interface Idler {
  /** Seconds until the service ended it. */
  readonly lifetime: Promise<number>
  /** Resolves when the service has had time to accept the connection and read its bytes. */
  readonly settled: Promise<unknown>
  end(): void
}

export function idle(aim: Aim, words: string): Idler {
  const beganAt = performance.now()
  const socket = open(aim)
  const settled = new Promise((resolve) => {
    socket.write(words, () => setTimeout(resolve, 200))
  })
  // Responses are read, so that the end of the connection is detected.
  socket.resume()
  const lifetime = new Promise<number>((resolve) => {
    socket.once('close', () => resolve((performance.now() - beganAt) / 1_000))
  })
  return { lifetime, settled, end: () => socket.destroy() }
}

/** As many requests as fit `bytes`, to be sent in one piece over one connection. */
export function pipelinedGets(path: string, bytes: number): Buffer {
  const one = `GET ${path} HTTP/1.1\r\nhost: flood\r\n\r\n`
  return Buffer.from(one.repeat(Math.floor(bytes / one.length)))
}

/** Sends `words` over new connections repeatedly and reads no response. */
export function floodUnread(aim: Aim, width: number, words: Buffer): Flood {
  return keepOpen(aim, width, 20, (socket) => {
    socket.pause()
    socket.write(words)
  })
}
