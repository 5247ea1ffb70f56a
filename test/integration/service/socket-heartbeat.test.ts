/** The heartbeat of a socket over a slow connection: reading slowly counts as alive, a stall does not. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeEach, expect, it, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { defaultSocketTimes, Heartbeat, SocketWriter } from '../../../service/transport/socket-flow.ts'
import { type SlowLine, slowLine } from '../../support/slow-line.ts'

const times = { ...defaultSocketTimes, ping: 200, silence: 1_000 }

const server = createServer()
const sockets = new WebSocketServer({ server })
let line: SlowLine
let client: WebSocket
let served: WebSocket
let writer: SocketWriter
let heartbeat: Heartbeat

/** Moves the clock of the heartbeat only as fast as this process runs: a busy machine is no silence. */
async function tick(): Promise<void> {
  vi.advanceTimersByTime(20)
  await sleep(20)
}

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  if (!server.listening) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  line = await slowLine(`http://127.0.0.1:${address.port}`, 5_000)
  const connected = once(sockets, 'connection')
  client = new WebSocket(line.url.replace('http', 'ws'))
  ;[served] = await connected
  writer = new SocketWriter(served)
  heartbeat = new Heartbeat(served, writer, times)
  if (client.readyState !== client.OPEN) await once(client, 'open')
})

afterEach(() => {
  vi.useRealTimers()
  client.terminate()
  served.terminate()
  line.close()
})

afterAll(() => {
  server.close()
})

it('a socket counts as alive while a response is read slowly, although the ping queued behind it is unanswered', async () => {
  for (let i = 0; i < 16; i++) void writer.send(new Uint8Array(1_000_000))
  const beganAt = performance.now()
  let most = 0
  while (writer.unsent > 0) {
    expect(heartbeat.isAlive()).toBe(true)
    most = performance.now() - beganAt
    await tick()
  }
  expect(most).toBeGreaterThan(times.silence * 1.5)
}, 60_000)

it('a socket counts as dead when its peer does not read, even if the peer keeps sending', async () => {
  for (let i = 0; i < 16; i++) void writer.send(new Uint8Array(1_000_000))
  Reflect.get(client, '_socket').pause()
  const beganAt = performance.now()
  let isBeating = true
  while (isBeating && performance.now() - beganAt < 30_000) {
    heartbeat.recordActivity()
    isBeating = heartbeat.isAlive()
    await tick()
  }
  expect(isBeating).toBe(false)
}, 60_000)
