/** The channel over a socket: the same frames and checks as over HTTP, bound to one session. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { logIn, prepareLogin } from '../support/raw-client.ts'
import { eventJson, openSocket } from '../support/raw-socket.ts'
import type { OwnService } from '../support/service.ts'
import { startOwnService } from '../support/service.ts'

let service: OwnService

beforeAll(async () => {
  service = await startOwnService()
})

afterAll(() => service.close())

it('answers requests of a session, and pairs each answer with its request', async () => {
  const session = await logIn(service)
  const socket = await openSocket(service)
  expect(socket.ws.protocol).toBe('miniseal.v1')
  expect(socket.ws.extensions).toBe('')
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, i) => socket.request(session, { path: `/wallet?n=${i}` })),
  )
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 40 }, () => 200))
  expect(await socket.subscribe(session, 0)).toMatchObject({ status: 200, json: { from: 1, first: 1, last: 0 } })
  await service.push(session.user, { type: 'greeting', data: { text: '你好' } })
  await service.push(session.user, { type: 'greeting', data: { n: 2 } })
  while (socket.events.length < 2) await new Promise((r) => setTimeout(r, 5))
  expect(socket.events.map(({ sequence }) => sequence)).toEqual([1, 2])
  expect(eventJson(socket.events[0] as never)).toMatchObject({ type: 'greeting', data: { text: '你好' } })
  socket.ws.close()
  console.log(await socket.closed)
})
