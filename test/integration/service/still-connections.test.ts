/** A connection that stands still while its answers wait to be read is cut; one that reads late is not. */
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { logIn, type RawSession } from '../../support/raw-client.ts'
import { startTestService, type TestService } from '../../support/service.ts'

const patience = 1_500
const answerSize = 900_000
/** Far more than what the system keeps of a connection that nobody reads. */
const answers = 24

let service: TestService
let session: RawSession

beforeAll(async () => {
  service = await startTestService({
    listenerTimes: { stall: patience },
    backend: {
      answer: async () => ({ status: 200, fields: [], content: new Uint8Array(answerSize) }),
      close: async () => {},
    },
  })
  session = await logIn(service)
})

afterAll(() => service.close())

/** Asks for all answers over one connection and reads nothing before `pause` is over. @returns bytes that came */
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

it('cuts who does not read, and serves others meanwhile', async () => {
  // Long enough for a busy machine to have made all answers, and then to find the connection still.
  const cut = readAfter(patience * 6)
  expect((await session.send()).status).toBe(200)
  expect(await cut).toBeLessThan(answers * answerSize)
  expect((await session.send()).status).toBe(200)
})

it('lets a slow reader have everything', async () => {
  expect(await readAfter(patience / 3)).toBeGreaterThan(answers * answerSize)
})
