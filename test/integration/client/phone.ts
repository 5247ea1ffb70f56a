/** A phone in memory that talks to a real service. */
import { randomBytes } from 'node:crypto'
import { type Channel, type ChannelOptions, createChannel } from '../../../miniprogram/client/index.ts'
import { fetchTransport } from '../../../miniprogram/client/node.ts'
import type {
  Transport,
  TransportAnswer,
  TransportRequest,
} from '../../../miniprogram/client/transports/transport.ts'
import type { TestService } from '../../support/service.ts'
import { memoryStorage } from './scripted-answers.ts'

/** Counts and, where the test says so, meddles. */
export class Middleman implements Transport {
  readonly requests: TransportRequest[] = []
  readonly answers: TransportAnswer[] = []
  meddle: (answer: TransportAnswer) => TransportAnswer = (answer) => answer
  private readonly inner = fetchTransport()

  async send(request: TransportRequest): Promise<TransportAnswer> {
    this.requests.push(request)
    const answer = await this.inner.send(request)
    if (request.method === 'GET') return answer
    this.answers.push(answer)
    return this.meddle(answer)
  }

  get frames(): number {
    return this.answers.length
  }
}

export interface Phone {
  readonly channel: Channel
  readonly proxy: Middleman
  readonly codes: string[]
}

/** A phone of its own, by the service's clock unless told otherwise. */
export function createPhone(
  service: TestService,
  openid: string,
  options: Partial<ChannelOptions> = {},
): Phone {
  const proxy = new Middleman()
  const codes: string[] = []
  const channel = createChannel({
    origin: service.origin,
    appid: service.appid,
    roots: service.roots,
    transport: proxy,
    storage: memoryStorage(),
    random: async (length) => randomBytes(length),
    login: async () => {
      codes.push(await service.code(openid))
      return codes[codes.length - 1] ?? ''
    },
    now: () => service.now() * 1000,
    platform: { platform: 'test', base: '3.8.12' },
    retries: 0,
    ...options,
  })
  return { channel, proxy, codes }
}

export const transfer = {
  method: 'POST',
  path: '/wallet/transfers',
  body: { payee: 'bob', amount: 250, currency: 'CNY', note: '早饭' },
} as const

export async function balance(channel: Channel): Promise<unknown> {
  const answer = (await channel.request({ method: 'GET', path: '/wallet' })).json()
  return (answer as { balance: unknown }).balance
}
