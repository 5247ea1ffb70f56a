/** Events over a socket that closes, stalls, skips and repeats, and polling without a socket. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type {
  ChannelEvent,
  MissedEvents,
  PhoneEvents,
  SocketState,
} from '../../../miniprogram/client/index.ts'
import { scripted, wallet } from './scripted-channel.ts'
import { ScriptedSockets } from './scripted-sockets.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})

afterEach(() => {
  vi.useRealTimers()
})

function phoneEvents(): PhoneEvents & { emit(isOnline?: boolean): void } {
  let online = true
  const listeners = new Set<() => void>()
  return {
    isOnline: () => online,
    listen: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    emit: (isOnline = true) => {
      online = isOnline
      for (const listener of [...listeners]) listener()
    },
  }
}

async function live(after = 0, hasSockets = true, pushed = 0) {
  const events = phoneEvents()
  const { service, channel } = await scripted({ events })
  const sockets = new ScriptedSockets(service)
  sockets.push(pushed)
  if (!hasSockets) delete service.connect
  const seen: number[] = []
  const missed: MissedEvents[] = []
  const states: SocketState[] = []
  channel.on('socket', (state) => states.push(state))
  const handle = channel.events(
    after,
    ({ sequence }) => seen.push(sequence),
    (gap) => missed.push(gap),
  )
  await vi.advanceTimersByTimeAsync(100)
  return { events, service, channel, sockets, seen, missed, states, handle }
}

function upTo(last: number, first = 1): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}

it('the client delivers retained and new events once and in order over a socket', async () => {
  const { sockets, seen, states, handle } = await live()
  sockets.push(3)
  await vi.advanceTimersByTimeAsync(10)
  sockets.push()
  await vi.advanceTimersByTimeAsync(10)
  expect(seen).toEqual([1, 2, 3, 4])
  expect(sockets.subscriptions).toEqual([{ after: 0 }])
  expect([states, handle.last]).toEqual([['connecting', 'open'], 4])
})

it('the client delivers sequence, type, data and time until the handle is closed', async () => {
  const { channel, sockets, handle, states } = await live()
  const seen: ChannelEvent[] = []
  const other = channel.events(0, (event) => seen.push(event))
  await vi.advanceTimersByTimeAsync(500)
  sockets.push()
  await vi.advanceTimersByTimeAsync(10)
  expect(seen).toEqual([{ sequence: 1, type: 'test', data: { number: 1 }, time: 1 }])
  handle.close()
  other.close()
  await vi.advanceTimersByTimeAsync(10)
  expect(sockets.open).toHaveLength(0)
  expect(states[states.length - 1]).toBe('closed')
})

it('the client sends requests over the open socket', async () => {
  const { channel, service, sockets } = await live()
  const sent = service.sent.length
  expect((await channelRequest(channel.request({ method: 'GET', path: '/wallet' }))).status).toBe(200)
  expect(sockets.paths).toContain('GET /wallet')
  expect(service.sent).toHaveLength(sent)
})

it('the client delivers 2,000 events once and in order while the socket is closed fifty times', async () => {
  const { sockets, seen } = await live()
  for (let cut = 0; cut < 50; cut++) {
    sockets.push(20)
    if (cut % 3 !== 0) await vi.advanceTimersByTimeAsync(cut % 7)
    sockets.cut(cut % 2 === 0 ? 1006 : 1001)
    sockets.push(20)
    await vi.advanceTimersByTimeAsync(cut % 5 === 0 ? 3000 : 300)
  }
  await vi.advanceTimersByTimeAsync(10_000)
  expect(seen).toEqual(upTo(2000))
})

it('the client resubscribes from the last event when the socket skips one', async () => {
  const { sockets, seen } = await live()
  sockets.dropped.add(2)
  sockets.push(5)
  await vi.advanceTimersByTimeAsync(100)
  expect(seen).toEqual([1, 2, 3, 4, 5])
  expect(sockets.subscriptions).toEqual([{ after: 0 }, { after: 1 }])
})

it('the client ignores an event that the socket repeats', async () => {
  const { sockets, seen } = await live()
  sockets.push(3)
  await vi.advanceTimersByTimeAsync(10)
  sockets.repeat(3)
  sockets.repeat(1)
  sockets.push()
  await vi.advanceTimersByTimeAsync(100)
  expect(seen).toEqual([1, 2, 3, 4])
})

it('the client closes a socket that does not respond and sends the next request over HTTP', async () => {
  const { sockets, channel, service } = await live()
  sockets.isAsleep = true
  const lost = channel.request(wallet).catch((error) => error)
  await vi.advanceTimersByTimeAsync(15_100)
  expect(await lost).toMatchObject({ code: 'timeout' })
  const sent = service.sent.length
  expect((await channelRequest(channel.request(wallet))).status).toBe(200)
  expect(service.sent.length).toBeGreaterThan(sent)
})

it('the client replaces a silent socket', async () => {
  const { sockets, seen, states } = await live()
  sockets.isAsleep = true
  sockets.push(3)
  await vi.advanceTimersByTimeAsync(26_000)
  sockets.isAsleep = false
  await vi.advanceTimersByTimeAsync(30_000)
  expect(seen).toEqual([1, 2, 3])
  expect(sockets.sockets.length).toBeGreaterThan(1)
  expect(states).toContain('polling')
  expect(states[states.length - 1]).toBe('open')
})

it('the client checks the socket immediately when the mini program is shown', async () => {
  const { sockets, events, seen } = await live()
  sockets.dropped.add(1)
  sockets.push(1)
  await vi.advanceTimersByTimeAsync(10)
  expect(seen).toEqual([])
  events.emit()
  await vi.advanceTimersByTimeAsync(100)
  expect(seen).toEqual([1])
})

it('the client reopens the socket when the network is back', async () => {
  const { sockets, events, seen } = await live()
  events.emit(false)
  sockets.cut()
  sockets.push(2)
  await vi.advanceTimersByTimeAsync(120_000)
  expect(sockets.sockets).toHaveLength(1)
  events.emit(true)
  await vi.advanceTimersByTimeAsync(1000)
  expect([sockets.sockets.length, seen]).toEqual([2, [1, 2]])
})

it('the client logs in once when the socket is closed because the session has ended', async () => {
  const { sockets, service, channel, seen } = await live()
  const states: string[] = []
  channel.on('state', (state) => states.push(state))
  sockets.cut(4401, 'session over')
  sockets.push()
  await vi.advanceTimersByTimeAsync(2000)
  expect([service.codes.length, seen]).toEqual([2, [1]])
  expect(states).toEqual(['ended', 'logging-in', 'ready'])
})

it('the client backs off when the service keeps closing the socket', async () => {
  const { sockets, service } = await live()
  for (let time = 0; time < 60; time++) {
    sockets.cut(4400, 'protocol error')
    await vi.advanceTimersByTimeAsync(1000)
  }
  expect(service.codes).toHaveLength(1)
  expect(sockets.sockets.length).toBeLessThan(62)
})

it('the client does not reopen the socket when the service reported too many sockets', async () => {
  const { sockets, events } = await live()
  sockets.cut(4400, 'too many sockets')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(sockets.sockets).toHaveLength(1)
  events.emit()
  await vi.advanceTimersByTimeAsync(2000)
  expect(sockets.sockets).toHaveLength(2)
})

it('the client does not retry a login that was refused permanently', async () => {
  const { sockets, service } = await live()
  service.decide = () => 'key_revoked'
  service.endSessions()
  sockets.cut(4401, 'session over')
  await vi.advanceTimersByTimeAsync(300_000)
  expect(service.codes.length).toBeLessThanOrEqual(4)
})

it('the client reports deleted events as missed and delivers the others', async () => {
  const { sockets, seen, missed } = await live(2, true, 2)
  sockets.cut()
  sockets.push(7)
  sockets.first = 6
  await vi.advanceTimersByTimeAsync(2000)
  expect([seen, missed]).toEqual([[6, 7, 8, 9], [{ from: 3, to: 5 }]])
})

it('the client continues from the position of a restored service', async () => {
  const { sockets, seen, missed, handle } = await live(40)
  await vi.advanceTimersByTimeAsync(100)
  expect([missed, handle.last]).toEqual([[{ from: 41, to: 0 }], 0])
  sockets.push(2)
  await vi.advanceTimersByTimeAsync(100)
  expect(seen).toEqual([1, 2])
})

it('the client polls when the transport has no sockets', async () => {
  const { sockets, seen, states } = await live(0, false)
  sockets.push(250)
  await vi.advanceTimersByTimeAsync(20_000)
  sockets.push(1)
  await vi.advanceTimersByTimeAsync(20_000)
  expect(seen).toEqual(upTo(251))
  expect(states).toEqual(['polling'])
})

it('the client polls when sockets cannot be opened', async () => {
  const { sockets, seen, service } = await live()
  service.connect = (_url, _protocol, listener) => {
    setTimeout(() => listener.closed(1006, ''), 0)
    return { send: () => {}, close: () => {} }
  }
  sockets.cut()
  sockets.push(3)
  await vi.advanceTimersByTimeAsync(20_000)
  expect(seen).toEqual([1, 2, 3])
})

async function channelRequest<T>(work: Promise<T>): Promise<T> {
  await vi.advanceTimersByTimeAsync(50)
  return work
}
