/** Requests to change the protocol of a connection (RFC 9110, section 7.8): WebSockets, and nothing else. */
import type { Server } from 'node:http'

const refusal =
  'HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application/problem+json\r\ncontent-length: 59\r\n\r\n'
const body = '{"title":"Only WebSockets can be upgraded to","status":400}'

/**
 * Refuses every upgrade but to a WebSocket. Node hands such a connection over and forgets it, and the handler of
 * WebSockets leaves it alone: without an answer it would stay open for ever, beyond all limits of time.
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
    socket.on('error', () => socket.destroy())
    socket.end(`${refusal}${body}`)
  })
}
