/** Stalled readers over HTTP are disconnected; slow ones are not. */
import { connect } from 'node:net'
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

/** Requests all responses over one connection and reads nothing for `pause` milliseconds. @returns bytes read */
async function readAfter(pause: number): Promise<number> {
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
  await sleep(pause)
  let bytes = 0
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.on('data', (chunk) => {
    bytes += chunk.length
  })
  socket.resume()
  await closed
  return bytes
}

it('a client that reads no response is disconnected and others are served', async () => {
  // Longer than it takes a busy machine to produce all responses and then detect the stall.
  const cut = readAfter(stall * 4)
  expect((await session.send()).status).toBe(200)
  expect(await cut).toBeLessThan(answers * answerSize)
  expect((await session.send()).status).toBe(200)
})

it('a slow reader gets the whole response', async () => {
  expect(await readAfter(stall / 3)).toBeGreaterThan(answers * answerSize)
})
