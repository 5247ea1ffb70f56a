/** Stalled readers over HTTP are disconnected; slow ones are not. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { sharedService, sharedSession } from '../../support/hooks.ts'

const stall = 1_000
const answerSize = 900_000
/** Far more than the operating system buffers. */
const answers = 24

const service = sharedService({
  listenerTimes: { stall },
  backend: {
    answer: async () => ({ status: 200, fields: [], content: new Uint8Array(answerSize) }),
  },
})
const session = sharedSession(service)

/** Requests all responses over one connection, and reads none of them yet. */
function requestAll(): Socket {
  const { port } = new URL(service.origin)
  const socket = connect({ port: Number(port), host: '127.0.0.1' })
  socket.on('error', () => undefined)
  socket.pause()
  for (let i = 0; i < answers; i++) {
    const { frame } = session.prepare({ path: '/large' })
    const connection = i === answers - 1 ? 'close' : 'keep-alive'
    socket.write(
      `POST /seal HTTP/1.1\r\nhost: a\r\nconnection: ${connection}\r\ncontent-type: application/vnd.miniseal\r\ncontent-length: ${frame.length}\r\n\r\n`,
    )
    socket.write(frame)
  }
  return socket
}

/** Resolves when the service has closed the connection. A client that does not read learns that from a failed write. */
async function untilClosed(socket: Socket): Promise<void> {
  while (!socket.destroyed) {
    // The service closes connections that are still for this long; a write ends the stillness.
    await sleep(stall * 3)
    socket.write('\n')
    await sleep(50)
  }
}

it('a client that reads no response is disconnected and others are served', async () => {
  const closed = untilClosed(requestAll())
  expect((await session.send()).status).toBe(200)
  await closed
  expect((await session.send()).status).toBe(200)
})

it('a slow reader gets the whole response', async () => {
  const socket = requestAll()
  await sleep(stall / 3)
  let bytes = 0
  socket.on('data', (chunk) => {
    bytes += chunk.length
  })
  socket.resume()
  await once(socket, 'close')
  expect(bytes).toBeGreaterThan(answers * answerSize)
})
