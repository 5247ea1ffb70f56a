/** Events and session ends across processes of one service, on both engines, with interrupted sockets. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { sharedDatabase } from '../../support/hooks.ts'
import { logIn, type RawSession } from '../../support/raw-client.ts'
import { eventJson, openSocket, type RawSocket } from '../../support/raw-socket.ts'
import type { OwnService } from '../../support/service.ts'
import { startTwoServices, type TwoServices } from '../../support/two-services.ts'
import { eventually, until } from '../../support/until.ts'
import { describeOnBothEngines } from '../store/engines.ts'

const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1)

/** A client that tracks its position: it refuses gaps and repeats, and subscribes again after each disconnect. */
class Reader {
  readonly texts: unknown[] = []
  #last = 0
  #socket: RawSocket | undefined
  #isDone = false
  readonly problems: string[] = []
  cuts = 0

  async read(session: RawSession, services: readonly OwnService[]): Promise<void> {
    for (let i = 0; !this.#isDone; i++) {
      const service = services[i % services.length]
      if (service === undefined) throw new Error('no service')
      await this.#readOnce(session, service).catch(() => undefined)
    }
  }

  async #readOnce(session: RawSession, service: OwnService): Promise<void> {
    const socket = await openSocket(service)
    this.#socket = socket
    socket.onEvent = (event) => {
      if (event.sequence !== this.#last + 1) this.problems.push(`${event.sequence} after ${this.#last}`)
      this.#last = event.sequence
      this.texts.push(eventJson(event).data.n)
    }
    const after = this.#last
    const { json } = await socket.subscribe(session, after)
    if (json.from !== after + 1) this.problems.push(`from ${json.from} after ${after}`)
    await socket.closed
  }

  cut(): void {
    this.cuts += 1
    this.#socket?.ws.terminate()
  }

  stop(): void {
    this.#isDone = true
    this.#socket?.ws.close()
  }
}

describeOnBothEngines('two processes', (create) => {
  let services: TwoServices

  const database = sharedDatabase(create)

  beforeAll(async () => {
    services = await startTwoServices(database)
  })

  afterAll(() => services.close())

  it('an event stored by one process reaches a socket of another', async () => {
    const { here, there } = services
    const session = await logIn(here)
    const socket = await openSocket(here)
    await socket.subscribe(session, 0)
    for (const n of upTo(20)) {
      await there.push(session.user, { type: 'count', data: { n } })
      await until(() => socket.events.length === n)
    }
  })

  it('a revocation in one process closes the socket in another with 4401', async () => {
    const { here, there } = services
    const session = await logIn(here, { openid: 'ann' })
    const other = await logIn(there, { openid: 'ann' })
    const socket = await openSocket(here)
    await socket.subscribe(session, 0)
    expect((await other.send({ method: 'DELETE', path: '/sessions' }, there)).status).toBe(200)
    expect(await eventually(socket.closed)).toEqual({ code: 4401, reason: 'session over' })
  })

  it('no event is delivered after the session ended in another process', async () => {
    const { here, there } = services
    for (let round = 0; round < 5; round++) {
      const session = await logIn(here, { openid: `ben-${round}` })
      const other = await logIn(there, { openid: `ben-${round}` })
      const socket = await openSocket(here)
      await socket.subscribe(session, 1)
      expect((await other.send({ method: 'DELETE', path: '/sessions' }, there)).status).toBe(200)
      // Before the word of the end has got around.
      await here.push(session.user, { type: 'secret', data: {} })
      expect((await eventually(socket.closed)).code).toBe(4401)
      expect(socket.events).toEqual([])
    }
  })

  it('a client that reconnects 50 times gets each of 2,000 events once and in order', async () => {
    const { here, there } = services
    const session = await logIn(here)
    const reader = new Reader()
    const reading = reader.read(session, [here, there])
    const pushing = (async () => {
      // Overlapping, from both: the outbox decides the order.
      for (let n = 0; n < 2_000; n += 10) {
        await Promise.all(
          upTo(10).map((i) =>
            (i % 2 === 0 ? here : there).push(session.user, { type: 'count', data: { n: n + i } }),
          ),
        )
      }
    })()
    while (reader.cuts < 50) {
      await sleep(Math.random() * 120)
      reader.cut()
    }
    await pushing
    await until(() => reader.texts.length >= 2_000, 60_000)
    reader.stop()
    await reading
    expect(reader.problems).toEqual([])
    expect(reader.texts).toHaveLength(2_000)
    expect(new Set(reader.texts).size).toBe(2_000)
  }, 180_000)
})
