/** A network that loses, delays and cuts connections: each transfer runs at most once, and its reported outcome is true. */
import { randomInt } from 'node:crypto'
import { request } from 'node:http'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { ChannelError } from '../../../miniprogram/client/index.ts'
import type {
  Transport,
  TransportAnswer,
  TransportRequest,
} from '../../../miniprogram/client/transports/transport.ts'
import { sharedService } from '../../support/hooks.ts'
import { balance, createPhone } from './phone.ts'

/** A TCP proxy in front of the service with a random fault for each connection. */
class WeakNetwork {
  isWeak = false
  readonly fates: string[] = []
  private readonly server: Server
  private readonly target: number
  private port = 0

  constructor(target: number) {
    this.target = target
    this.server = createServer((client) => this.carry(client))
  }

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve))
    const address = this.server.address()
    this.port = typeof address === 'object' && address !== null ? address.port : 0
    return `http://127.0.0.1:${this.port}`
  }

  close(): void {
    this.server.close()
  }

  private carry(client: Socket): void {
    const fate = this.isWeak ? randomInt(6) : 5
    const upstream = connect(this.target, '127.0.0.1')
    const end = (): void => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) socket.on('error', end)
    client.on('close', end)
    // After all delayed writes.
    upstream.on('end', () => setTimeout(() => client.end(), 150))
    const name = ['lost request', 'lost answer', 'cut answer', 'late answer', 'late', 'good'][fate] ?? 'good'
    this.fates.push(name)
    if (name === 'lost request') {
      end()
      return
    }
    client.on('data', (bytes) => setTimeout(() => upstream.write(bytes), name === 'late' ? 60 : 0))
    upstream.on('data', (bytes) => {
      if (name === 'lost answer') {
        end()
        return
      }
      if (name === 'cut answer') {
        client.write(bytes.subarray(0, bytes.length - 40))
        setTimeout(end, 5)
        return
      }
      setTimeout(() => client.write(bytes), name === 'late answer' ? 120 : 0)
    })
  }
}

/** Over a connection of its own, so that each request has a fate of its own. */
function sendAlone({ url, method, headers, body, timeoutMs }: TransportRequest): Promise<TransportAnswer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs)
    request(url, { method, headers, agent: false, signal }, async (answer) => {
      const parts: Buffer[] = []
      try {
        for await (const part of answer) parts.push(part)
        const type = { 'content-type': answer.headers['content-type'] ?? '' }
        resolve({ status: answer.statusCode ?? 0, headers: type, body: new Uint8Array(Buffer.concat(parts)) })
      } catch (error) {
        reject(error)
      }
    })
      .on('error', reject)
      .end(body)
  })
}

let network: WeakNetwork
let transport: Transport

const service = sharedService({
  environment: { MINISEAL_LIMITS: 'device=5000/60,user=5000/60,frame_ip=20000/60' },
})

beforeAll(async () => {
  network = new WeakNetwork(Number(new URL(service.origin).port))
  const way = await network.open()
  transport = {
    send: (request) => sendAlone({ ...request, url: request.url.replace(service.origin, way) }),
  }
})

afterAll(() => network.close())

const amount = 7

function order(index: number, more: object = {}) {
  const body = { payee: 'bob', amount, currency: 'CNY', note: `${index}` }
  return { method: 'POST', path: '/wallet/transfers', body, ...more } as const
}

it('the client executes every transfer at most once and reports its outcome or that it is unknown', async () => {
  const { channel } = createPhone(service, 'openid-weak', { transport, retries: 2, timeoutMs: 5000 })
  await channel.login()
  network.isWeak = true
  const results = await Promise.all(
    Array.from({ length: 40 }, async (_, index) => {
      try {
        const answer = await channel.request(order(index))
        return { index, kind: 'done', status: answer.status } as const
      } catch (error) {
        return { index, kind: 'failed', error: error as ChannelError } as const
      }
    }),
  )
  network.isWeak = false
  const list = (await channel.request({ method: 'GET', path: '/wallet/transfers' })).json()
  const notes = (list as { transfers: { note: string }[] }).transfers.map(({ note }) => note)
  expect(new Set(notes).size).toBe(notes.length)
  for (const one of results) {
    const times = notes.filter((note) => note === `${one.index}`).length
    if (one.kind === 'done') expect([one.status, times]).toEqual([201, 1])
    else if (one.error.code !== 'outcome_unknown') expect([one.error.outcome, times]).toEqual(['none', 0])
    else expect(one.error.idempotencyKey).toEqual(expect.any(String))
  }
  // The same key settles an unknown outcome, with at most one effect.
  for (const one of results) {
    if (one.kind !== 'failed') continue
    const idempotencyKey = one.error.idempotencyKey ?? ''
    expect((await channel.request(order(one.index, { idempotencyKey }))).status).toBe(201)
  }
  expect(await balance(channel)).toBe(1_000_000 - 40 * amount)
  expect(new Set(network.fates).size).toBeGreaterThan(3)
})
