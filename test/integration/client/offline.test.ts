/** Requests and states of a phone that is offline. */
import { expect, it } from 'vitest'
import type { ChannelState, PhoneEvents } from '../../../miniprogram/client/index.ts'
import { wxEvents } from '../../../miniprogram/client/phone-events.ts'
import type { WeChat } from '../../../miniprogram/client/wx.ts'
import { json } from './scripted-answers.ts'
import { loggedIn, scripted, transfer, wallet } from './scripted-channel.ts'

interface Network extends PhoneEvents {
  turn(isOnline: boolean): void
}

function network(): Network {
  let isOnline = true
  const listeners = new Set<() => void>()
  return {
    isOnline: () => isOnline,
    listen: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    turn: (now) => {
      isOnline = now
      for (const listener of [...listeners]) listener()
    },
  }
}

it('the client fails immediately without sending when offline', async () => {
  const events = network()
  const { channel, service } = await loggedIn({ events, retries: 2 })
  events.turn(false)
  const sent = service.sent.length
  await expect(channel.request(wallet)).rejects.toMatchObject({ code: 'offline', outcome: 'none' })
  await expect(channel.request(transfer)).rejects.toMatchObject({
    code: 'offline',
    outcome: 'none',
    idempotencyKey: expect.any(String),
  })
  await expect(channel.login()).rejects.toMatchObject({ code: 'offline' })
  expect(service.sent).toHaveLength(sent)
})

it('the client sends a request with waitForNetwork when the network is back', async () => {
  const events = network()
  const { channel, service } = await loggedIn({ events })
  events.turn(false)
  const waiting = channel.request({ ...transfer, waitForNetwork: true })
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(service.received).toHaveLength(1)
  events.turn(true)
  expect((await waiting).status).toBe(200)
})

it('the client serves fresh responses from the cache when offline', async () => {
  const events = network()
  const { channel, service } = await scripted({ events })
  service.decide = ({ path }) =>
    path === '/wallet'
      ? {
          ...json(200, { balance: 1 }),
          fields: [
            ['content-type', 'application/json'],
            ['cache-control', 'max-age=60'],
          ],
        }
      : undefined
  await channel.request(wallet)
  events.turn(false)
  expect(await channel.request(wallet)).toMatchObject({ isFromCache: true, status: 200 })
})

it('the channel has the state offline until the network is back', async () => {
  const events = network()
  const { channel } = await scripted({ events })
  const states: ChannelState[] = []
  channel.on('state', (state) => states.push(state))
  await channel.login()
  events.turn(false)
  expect(channel.state).toBe('offline')
  events.turn(true)
  expect(states).toEqual(['logging-in', 'ready', 'offline', 'ready'])
})

it('the client reports network changes and app-show events of WeChat', () => {
  const callbacks: (() => void)[] = []
  let change = (_status: { readonly isConnected: boolean }): void => {}
  let show = (): void => {}
  const wx: Partial<WeChat> = {
    getNetworkType: ({ success }) => callbacks.push(() => success({ networkType: 'none' })),
    onNetworkStatusChange: (listener) => {
      change = listener
    },
    onAppShow: (listener) => {
      show = listener
    },
  }
  const events = wxEvents(wx as WeChat)
  let calls = 0
  const stop = events.listen(() => {
    calls += 1
  })
  expect(events.isOnline()).toBe(true)
  callbacks[0]?.()
  expect([events.isOnline(), calls]).toEqual([false, 1])
  change({ isConnected: true })
  show()
  expect([events.isOnline(), calls]).toEqual([true, 3])
  stop()
  show()
  expect(calls).toBe(3)
})
