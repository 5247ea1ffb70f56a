/** Events over a socket that opens, breaks, sleeps and lies; and what is left when there is none. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type {
  ChannelEvent,
  MissedEvents,
  PhoneEvents,
  SocketState,
} from '../../../miniprogram/client/index.ts'
import { scripted } from './scripted-channel.ts'
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

describe('a socket', () => {
  it('brings what was kept and what happens, once and in order', async () => {
    const { sockets, seen, states, handle } = await live()
    sockets.push(3)
    await vi.advanceTimersByTimeAsync(10)
    sockets.push()
    await vi.advanceTimersByTimeAsync(10)
    expect(seen).toEqual([1, 2, 3, 4])
    expect(sockets.subscriptions).toEqual([{ after: 0 }])
    expect([states, handle.last]).toEqual([['connecting', 'open'], 4])
  })

  it('gives what an event is, and stops when the handle is closed', async () => {
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

  it('carries requests too while it is open', async () => {
    const { channel, service, sockets } = await live()
    const sent = service.sent.length
    expect((await channelRequest(channel.request({ method: 'GET', path: '/wallet' }))).status).toBe(200)
    expect(sockets.paths).toContain('GET /wallet')
    expect(service.sent).toHaveLength(sent)
  })

  it('is cut fifty times during two thousand events: each comes once, in order', async () => {
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

  it('that leaves out an event is asked again from the last one', async () => {
    const { sockets, seen } = await live()
    sockets.dropped.add(2)
    sockets.push(5)
    await vi.advanceTimersByTimeAsync(100)
    expect(seen).toEqual([1, 2, 3, 4, 5])
    expect(sockets.subscriptions).toEqual([{ after: 0 }, { after: 1 }])
  })

  it('that brings an event twice is not believed the second time', async () => {
    const { sockets, seen } = await live()
    sockets.push(3)
    await vi.advanceTimersByTimeAsync(10)
    sockets.repeat(3)
    sockets.repeat(1)
    sockets.push()
    await vi.advanceTimersByTimeAsync(100)
    expect(seen).toEqual([1, 2, 3, 4])
  })

  it('that does not answer a request counts as closed: the next one goes another way', async () => {
    const { sockets, channel, service } = await live()
    sockets.isAsleep = true
    const wallet = { method: 'GET', path: '/wallet' } as const
    const lost = channel.request(wallet).catch((error) => error)
    await vi.advanceTimersByTimeAsync(15_100)
    expect(await lost).toMatchObject({ code: 'timeout' })
    const sent = service.sent.length
    expect((await channelRequest(channel.request(wallet))).status).toBe(200)
    expect(service.sent.length).toBeGreaterThan(sent)
  })

  it('that fell asleep is found out by its silence, and replaced', async () => {
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

  it('is asked for a sign of life at once when the mini program is shown again', async () => {
    const { sockets, events, seen } = await live()
    sockets.dropped.add(1)
    sockets.push(1)
    await vi.advanceTimersByTimeAsync(10)
    expect(seen).toEqual([])
    events.emit()
    await vi.advanceTimersByTimeAsync(100)
    expect(seen).toEqual([1])
  })

  it('is opened again when the network is back, and not before', async () => {
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

  it('that is closed because its session is over leads to one login', async () => {
    const { sockets, service, channel, seen } = await live()
    const states: string[] = []
    channel.on('state', (state) => states.push(state))
    sockets.cut(4401, 'session over')
    sockets.push()
    await vi.advanceTimersByTimeAsync(2000)
    expect([service.codes.length, seen]).toEqual([2, [1]])
    expect(states).toEqual(['ended', 'logging-in', 'ready'])
  })

  it('does not hammer when the service closes it again and again', async () => {
    const { sockets, service } = await live()
    for (let time = 0; time < 60; time++) {
      sockets.cut(4400, 'protocol error')
      await vi.advanceTimersByTimeAsync(1000)
    }
    expect(service.codes).toHaveLength(1)
    expect(sockets.sockets.length).toBeLessThan(62)
  })

  it('is not opened again by itself when there were too many of them', async () => {
    const { sockets, events } = await live()
    sockets.cut(4400, 'too many sockets')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(sockets.sockets).toHaveLength(1)
    events.emit()
    await vi.advanceTimersByTimeAsync(2000)
    expect(sockets.sockets).toHaveLength(2)
  })

  it('does not try to log in again and again when that is refused for good', async () => {
    const { sockets, service } = await live()
    service.decide = () => 'key_revoked'
    service.endSessions()
    sockets.cut(4401, 'session over')
    await vi.advanceTimersByTimeAsync(300_000)
    expect(service.codes.length).toBeLessThanOrEqual(4)
  })
})

describe('events that are not there any more', () => {
  it('are told as missed, and the others follow', async () => {
    const { sockets, seen, missed } = await live(2, true, 2)
    sockets.cut()
    sockets.push(7)
    sockets.first = 6
    await vi.advanceTimersByTimeAsync(2000)
    expect([seen, missed]).toEqual([[6, 7, 8, 9], [{ from: 3, to: 5 }]])
  })

  it('make the channel go on from where the service is, when it was set back', async () => {
    const { sockets, seen, missed, handle } = await live(40)
    await vi.advanceTimersByTimeAsync(100)
    expect([missed, handle.last]).toEqual([[{ from: 41, to: 0 }], 0])
    sockets.push(2)
    await vi.advanceTimersByTimeAsync(100)
    expect(seen).toEqual([1, 2])
  })
})

describe('without sockets', () => {
  it('the service is asked again and again', async () => {
    const { sockets, seen, states } = await live(0, false)
    sockets.push(250)
    await vi.advanceTimersByTimeAsync(20_000)
    sockets.push(1)
    await vi.advanceTimersByTimeAsync(20_000)
    expect(seen).toEqual(upTo(251))
    expect(states).toEqual(['polling'])
  })

  it('and when they cannot be opened', async () => {
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
})

async function channelRequest<T>(work: Promise<T>): Promise<T> {
  await vi.advanceTimersByTimeAsync(50)
  return work
}
