/** Events over a real socket of a real service, in the engines of phones and in this one. */
import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundleClient } from '../../../miniprogram/build/bundle.ts'
import type { Channel, SocketState } from '../../../miniprogram/client/index.ts'
import { createChannel } from '../../../miniprogram/client/index.ts'
import { wxEvents } from '../../../miniprogram/client/phone-events.ts'
import { wxRandom } from '../../../miniprogram/client/random.ts'
import { wxRequestTransport } from '../../../miniprogram/client/transports/wx.ts'
import { memoryStorage } from '../../integration/client/scripted-answers.ts'
import type { OwnService } from '../../support/service.ts'
import { startTestService } from '../../support/service.ts'
import { createLoopback, type Loopback } from '../../support/wx-loopback.ts'
import { engines } from './engines.ts'
import { pages } from './pages.ts'

let bundle: string
let service: OwnService

beforeAll(async () => {
  bundle = (await bundleClient()).code
  service = await startTestService()
})

afterAll(() => service.close())

/** A phone in this process, over the loopback `wx`. */
function phone(openid: string): { readonly channel: Channel; readonly loopback: Loopback } {
  const loopback = createLoopback({ appid: service.appid, sandboxUrl: service.sandboxUrl, openid })
  const { wx } = loopback
  const channel = createChannel({
    origin: service.origin,
    appid: service.appid,
    roots: service.roots,
    transport: wxRequestTransport(wx),
    storage: memoryStorage(),
    random: wxRandom(wx),
    login: () => service.code(openid),
    events: wxEvents(wx),
    platform: { platform: 'test', base: '3.8.12' },
  })
  return { channel, loopback }
}

async function until(isSo: () => boolean): Promise<void> {
  for (let turn = 0; !isSo(); turn++) {
    if (turn > 2000) throw new Error('it did not happen')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

function push(user: string, data: Record<string, unknown>): Promise<unknown> {
  return service.push(user, { type: 'test', data })
}

// Concurrent: each test waits 3 s for the page to open its socket.
describe.concurrent.each(engines)('the built client in $name', ({ name, run }) => {
  it('the client receives retained and new events over a socket and sends requests over it', async ({
    expect,
  }) => {
    const openid = `openid-live-${name}`
    const { channel } = phone(openid)
    const { user } = await channel.login()
    await push(user, { number: 1 })
    await push(user, { number: 2 })
    const page = run(bundle, service, pages.events, openid)
    // The page logs in as a second device, which is an event too.
    setTimeout(() => void push(user, { last: true }), 3000)
    const seen = expect.arrayContaining([1, 2, 3])
    expect(await page).toEqual({ seen, states: ['connecting', 'open'], status: 200 })
  })
})

describe('the client and a real socket', () => {
  it('the client receives 2,000 events once and in order while a real socket is closed fifty times', async () => {
    const { channel, loopback } = phone('openid-cut')
    const { user } = await channel.login()
    const seen: number[] = []
    const handle = channel.events(0, ({ sequence }) => seen.push(sequence))
    for (let cut = 0; cut < 50; cut++) {
      await Promise.all(Array.from({ length: 40 }, (_, index) => push(user, { cut, index })))
      if (randomInt(2) === 0) await new Promise((resolve) => setTimeout(resolve, randomInt(80)))
      loopback.cutSockets()
    }
    await until(() => seen.length >= 2000)
    expect(seen).toEqual(Array.from({ length: 2000 }, (_, index) => index + 1))
    handle.close()
  }, 120_000)

  it('the client logs in again once when the session is revoked while the socket is open', async () => {
    const { channel } = phone('openid-revoked')
    const { id, user } = await channel.login()
    const states: string[] = []
    const sockets: SocketState[] = []
    const seen: number[] = []
    channel.on('state', (state) => states.push(state))
    channel.on('socket', (state) => sockets.push(state))
    const handle = channel.events(0, ({ sequence }) => seen.push(sequence))
    await until(() => sockets.includes('open'))
    const other = phone('openid-revoked')
    await other.channel.revoke(id)
    await until(() => states.includes('ready'))
    await push(user, { after: 'revocation' })
    await until(() => seen.length >= 2)
    expect(states).toEqual(['ended', 'logging-in', 'ready'])
    expect(seen).toEqual(seen.map((_, index) => index + 1))
    handle.close()
  })
})
