/** A channel to a scripted service. */
import { randomBytes } from 'node:crypto'
import { findField } from '../../../crypto/frames/binary-http.ts'
import { createJsPrimitives, loadCurves } from '../../../crypto/primitives/primitives-js.ts'
import { encodeBase64Url } from '../../../crypto/text.ts'
import { type Channel, type ChannelOptions, createChannel } from '../../../miniprogram/client/index.ts'
import { memoryStorage } from './scripted-answers.ts'
import { origin, ScriptedService } from './scripted-service.ts'

export const appid = 'wx0123456789abcdef'

/** A service and a channel to it; everything of the phone is in memory too. */
export async function scripted(options: Partial<ChannelOptions> = {}): Promise<{
  service: ScriptedService
  channel: Channel
  stored: Map<string, string>
  issued: string[]
  /** The mini program, restarted on the same phone. */
  launch: () => Channel
}> {
  const service = new ScriptedService(createJsPrimitives(await loadCurves()))
  const stored = new Map<string, string>()
  const issued: string[] = []
  const all: ChannelOptions = {
    origin,
    appid,
    roots: [encodeBase64Url(service.root.publicKey)],
    transport: service,
    storage: memoryStorage(stored),
    random: async (length) => randomBytes(length),
    login: async () => {
      issued.push(`code-${issued.length + 1}`)
      return `code-${issued.length}`
    },
    now: () => service.time * 1000,
    platform: { platform: 'test', base: '3.8.12' },
    retries: 0,
    ...options,
  }
  const launch = (): Channel => createChannel(all)
  return { service, channel: launch(), stored, issued, launch }
}

/** A scripted service and a channel that has logged in. */
export async function loggedIn(
  options: Partial<ChannelOptions> = {},
): Promise<Awaited<ReturnType<typeof scripted>>> {
  const made = await scripted(options)
  await made.channel.login()
  return made
}

export const wallet = { method: 'GET', path: '/wallet' } as const
export const transfer = {
  method: 'POST',
  path: '/wallet/transfers',
  body: { payee: 'p', amount: 1, currency: 'CNY' },
} as const

/** How many requests with this path the service has verified. */
export function countOf(service: ScriptedService, path: string): number {
  return service.received.filter((request) => request.path === path).length
}

/** Answers every later request for the channel configuration with the present one, as a cache on the way. */
export async function freezeConfiguration(service: ScriptedService): Promise<void> {
  const url = `${origin}/.well-known/miniseal`
  const frozen = await service.send({ url, method: 'GET', headers: {}, body: undefined, timeoutMs: 1 })
  service.intercept = (request, pass) => (request.method === 'GET' ? frozen : pass())
}

/** The idempotency keys of the requests that reached the handler, without the quotes of the structured field. */
export function idempotencyKeys(service: ScriptedService, path: string): readonly (string | undefined)[] {
  return service.received
    .filter((request) => request.path === path)
    .map((request) => findField(request.fields, 'idempotency-key')?.slice(1, -1))
}
