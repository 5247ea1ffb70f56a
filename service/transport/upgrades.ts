/** What is no HTTP/1.1 request to answer: other protocols (RFC 9110, section 7.8), tunnels, and what came to the wrong port. */
import type { Server } from 'node:http'
import type { Duplex } from 'node:stream'

/**
 * Refuses every upgrade but to a WebSocket, every CONNECT, and what cannot be read as HTTP/1.1, each with the reason. Node
 * hands such a connection over and forgets it, and the handler of WebSockets leaves it alone: without an answer it would
 * stay open for ever, beyond all limits of time.
 */
export function serveUpgrades(server: Server): void {
  const listeners = server.listeners('upgrade')
  // In their place, not beside them: with a second listener the handler of WebSockets refuses nothing any more.
  server.removeAllListeners('upgrade')
  server.on('upgrade', (request, socket, head) => {
    if (request.headers.upgrade?.toLowerCase() === 'websocket') {
      for (const listener of listeners) listener.call(server, request, socket, head)
      return
    }
    refuse(socket, '400 Bad Request', 'Only WebSockets can be upgraded to')
  })
  server.on('connect', (_request, socket) => refuse(socket, '405 Method Not Allowed', 'This is no proxy'))
  server.on('clientError', (error: UnreadableRequest, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
    const [status, title] = reasonOf(error)
    refuse(socket, status, title)
  })
}

interface UnreadableRequest extends Error {
  readonly code?: string
  /** What came; attacker-controlled. */
  readonly rawPacket?: Uint8Array
}

type Refusal = readonly [status: `${number} ${string}`, title: string]

const preface = Buffer.from('PRI * HTTP/2')

function reasonOf({ code, rawPacket = new Uint8Array(0) }: UnreadableRequest): Refusal {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return ['408 Request Timeout', 'The request took too long']
  if (code === 'HPE_HEADER_OVERFLOW')
    return ['431 Request Header Fields Too Large', 'The header is too large']
  // A handshake of TLS 1.x begins with record type 22 and version 3. Its client shows "wrong version number".
  if (rawPacket[0] === 22 && rawPacket[1] === 3) {
    return ['400 Bad Request', 'This port speaks HTTP without TLS: TLS ends at the proxy in front of it']
  }
  if (preface.equals(rawPacket.subarray(0, preface.length))) {
    return ['505 HTTP Version Not Supported', 'This port speaks HTTP/1.1, not HTTP/2']
  }
  return ['400 Bad Request', 'This is no HTTP/1.1 request']
}

function refuse(socket: Duplex, status: Refusal[0], title: string): void {
  socket.on('error', () => socket.destroy())
  const body = JSON.stringify({ title, status: Number(status.slice(0, 3)) })
  const head = `connection: close\r\ncontent-type: application/problem+json\r\ncontent-length: ${body.length}`
  socket.end(`HTTP/1.1 ${status}\r\n${head}\r\n\r\n${body}`, () => socket.destroy())
}
