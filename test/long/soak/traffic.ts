/** All kinds of requests of users: each has a phone and a socket, and sometimes sends an invalid request. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RawSession, ReceivedReply } from '../../support/raw-client.ts'
import { logIn, newDevice, post, send } from '../../support/raw-client.ts'
import { openSocket, type RawSocket } from '../../support/raw-socket.ts'
import type { TestService } from '../../support/service.ts'

export interface Traffic {
  /** Milliseconds of each request since the last call. */
  takeTimes(): readonly number[]
  /** Unexpected errors by message. */
  readonly faults: ReadonlyMap<string, number>
  readonly requests: () => number
  readonly events: () => number
  stop(): Promise<void>
}

/** Steps until a user logs in again, with a new session, device and socket. */
const stepsPerRound = 60
/** Milliseconds between two steps of a user, so that the load does not depend on the service's speed. */
const pause = 40

interface Person {
  readonly openid: string
  readonly device: ReturnType<typeof newDevice>
  session: RawSession
  socket: RawSocket
}

/** @param push has the service push an event to a user */
export function startTraffic(service: TestService, people: number, push: (user: string) => void): Traffic {
  let times: number[] = []
  let [requests, events] = [0, 0]
  let isStopping = false
  const faults = new Map<string, number>()
  const fault = (text: string): void => void faults.set(text, (faults.get(text) ?? 0) + 1)
  const timed = async (name: string, expected: number, ask: () => Promise<{ readonly status: number }>) => {
    const startedAt = performance.now()
    try {
      const { status } = await ask()
      if (status !== expected) fault(`${name}: ${status}`)
    } catch (error) {
      fault(`${name}: ${error instanceof Error ? error.message : String(error)}`)
    }
    times.push(performance.now() - startedAt)
    requests += 1
  }
  const arrive = async (openid: string, device: ReturnType<typeof newDevice>): Promise<Person> => {
    const session = await logIn(service, { openid, device })
    const socket = await openSocket(service)
    socket.onEvent = () => {
      events += 1
      socket.events.length = 0
    }
    await socket.subscribe(session, 0)
    return { openid, device, session, socket }
  }
  const live = async (index: number): Promise<void> => {
    const [openid, device] = [`soak-${index}`, newDevice()]
    while (!isStopping) {
      try {
        await liveRound(service, await arrive(openid, device), { timed, push, isStopping: () => isStopping })
      } catch (error) {
        fault(`a round: ${error instanceof Error ? error.message : String(error)}`)
        await sleep(1_000)
      }
    }
  }
  const lives = Promise.all(Array.from({ length: people }, (_, index) => live(index)))
  return {
    takeTimes() {
      const taken = times
      times = []
      return taken
    },
    faults,
    requests: () => requests,
    events: () => events,
    async stop() {
      isStopping = true
      await lives
    },
  }
}

interface Living {
  readonly timed: (
    name: string,
    expected: number,
    ask: () => Promise<{ readonly status: number }>,
  ) => Promise<void>
  readonly push: (user: string) => void
  readonly isStopping: () => boolean
}

async function liveRound(service: TestService, person: Person, living: Living): Promise<void> {
  const { timed, isStopping } = living
  const steps = stepsOf(service, person, living)
  for (let step = 0; step < stepsPerRound && !isStopping(); step++) {
    const [name, expected, ask] = steps[step % steps.length] ?? steps[0]
    await timed(name, expected, ask)
    await sleep(pause * (0.5 + Math.random()))
  }
  await timed('log out', 204, () => person.session.send({ method: 'DELETE', path: '/sessions/current' }))
  person.socket.ws.close()
  await person.socket.closed
}

type Step = readonly [name: string, expected: number, ask: () => Promise<{ readonly status: number }>]

function stepsOf(
  service: TestService,
  { session, socket }: Person,
  { push }: Living,
): readonly [Step, ...Step[]] {
  const transfer = { payee: 'bob', amount: 1, currency: 'CNY' }
  const renew = async (): Promise<ReceivedReply> => {
    const reply = await session.send({ method: 'POST', path: '/sessions/current/token' })
    if (reply.status === 201) session.token = reply.json.access_token
    return reply
  }
  const replay = async (): Promise<ReceivedReply> => {
    const prepared = session.prepare()
    await send(service, prepared)
    return await send(service, prepared)
  }
  const read = async (path: string): Promise<Response> => {
    const response = await fetch(`${service.url}${path}`)
    await response.arrayBuffer()
    return response
  }
  const garbage = async (): Promise<Response> => {
    const response = await post(service, new Uint8Array(64))
    await response.arrayBuffer()
    return response
  }
  return [
    ['read', 200, () => session.send()],
    ['transfer', 201, () => session.send({ method: 'POST', path: '/wallet/transfers', body: transfer })],
    ['read over the socket', 200, () => socket.request(session)],
    [
      'transfer over the socket',
      201,
      () => socket.request(session, { method: 'POST', path: '/wallet/transfers', body: transfer }),
    ],
    ['events', 200, () => session.send({ path: '/events?after=0' })],
    ['renewal', 201, renew],
    ['replay', 409, replay],
    [
      'no key',
      400,
      () => session.send({ method: 'POST', path: '/wallet/transfers', body: transfer, key: undefined }),
    ],
    ['garbage', 400, garbage],
    ['checkpoint', 200, () => read('/log/checkpoint')],
    [
      'push',
      200,
      async () => {
        push(session.user)
        return await session.send({ path: '/sessions' })
      },
    ],
    ['token keys', 200, () => read('/.well-known/jwks.json')],
    ['message keys', 200, () => read('/.well-known/miniseal-keys.json')],
  ]
}
