/** Runs one attack until it is killed: `attacker.ts NAME JSON`. Prints `attacking` once it has begun. */
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import type { RequestMessage } from '../../crypto/frames/binary-http.ts'
import { logIn, post, prepareLogin, random, send } from '../../test/support/raw-client.ts'
import type { TestService } from '../../test/support/service.ts'
import { serviceOutside } from '../../test/support/service-process.ts'
import { comeFrom } from './victims.ts'

export const attackerAddress = '127.0.0.66'

/** The parameters of an attack. */
export interface Order {
  readonly environment: Readonly<Record<string, string>>
  readonly sandboxUrl: string
  readonly root: string
  /** Of an auditor. */
  readonly token?: string
}

const [name = '', text = '{}'] = process.argv.slice(2)
const order = JSON.parse(text) as Order
const service = serviceOutside(order.environment, order.sandboxUrl, order.root)
const port = Number(order.environment.PORT)

/** Bodies of logins. */
const shapes: Readonly<Record<string, (size: number) => string>> = {
  deep: (size) => '['.repeat(size / 2) + ']'.repeat(size / 2),
  wide: (size) => `{${Array.from({ length: size / 12 }, (_, i) => `"k${i}":1`).join(',')}}`,
  strings: (size) => JSON.stringify({ appid: 'x'.repeat(size - 20) }),
  numbers: (size) => `[${'1e308,'.repeat(size / 6 - 2)}1]`,
  escapes: (size) => `"${'\\u0041'.repeat(size / 6 - 2)}"`,
  duplicates: (size) => `{${'"appid":"a",'.repeat(size / 12 - 2)}"code":""}`,
}

const attacks: Readonly<Record<string, () => Promise<unknown>>> = {
  hung: async () => {
    const session = await logIn(service)
    begin()
    // Clients repeat a refused request after a second, as `Retry-After` requires: signing uses the same two cores.
    await inParallel(300, async () => {
      await session.send({ method: 'POST', path: '/hang/on', body: {} })
      await sleep(1_000)
    })
  },
  wechat: async () => {
    const code = await service.code()
    begin()
    await inParallel(40, async () => await send(service, await prepareLogin(service, { code })))
  },
  pipelined: async () => {
    begin()
    const request = 'GET /docs/problems HTTP/1.1\r\nhost: a\r\n\r\n'
    const flood = request.repeat(Math.floor(60_000 / request.length))
    await inParallel(10, () => sendUnread(flood))
  },
  export: async () => {
    const { token } = order
    const headers = { 'content-type': 'application/json' }
    const signedIn = await fetch(`${service.origin}/audit/api/session`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ token }),
    })
    const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? ''
    begin()
    const read = async (path: string) =>
      await (await fetch(`${service.origin}/audit/api/${path}`, { headers: { cookie } })).arrayBuffer()
    await Promise.all([
      ...['csv', 'jsonl'].map((format) => forever(() => read(`export?format=${format}`))),
      forever(() => read('entries?user=u_person-1&ip=192.0.2.250&from=2020-01-01')),
      forever(() => read('overview?from=2000-01-01')),
    ])
  },
  lines: async () => {
    begin()
    await inParallel(20, () => post(service, random(200)))
  },
  none: async () => {
    begin()
    await sleep(3_600_000)
  },
  ...Object.fromEntries(
    Object.entries(shapes).flatMap(([shape, make]) => [
      [`json ${shape}`, () => floodLogins(make, false)],
      [`gzip ${shape}`, () => floodLogins(make, true)],
    ]),
  ),
}

function begin(): void {
  process.stdout.write('attacking\n')
}

async function forever(work: () => Promise<unknown>): Promise<never> {
  for (;;) {
    await work().catch(() => undefined)
    await sleep(1)
  }
}

async function inParallel(width: number, work: () => Promise<unknown>): Promise<void> {
  await Promise.all(Array.from({ length: width }, () => forever(work)))
}

/** Sends without reading until the service closes the connection. */
function sendUnread(text: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: attackerAddress }, () =>
      socket.write(text),
    )
    socket.pause()
    socket.on('error', () => undefined)
    socket.on('close', () => resolve())
  })
}

async function floodLogins(make: (size: number) => string, isPacked: boolean): Promise<void> {
  const target: TestService = { ...service, code: async () => 'no-code' }
  // The largest content that a frame holds, and the largest that is parsed.
  const bodies = [1_000_000, 16_000].map((size) => Buffer.from(make(size)))
  const contents = isPacked ? bodies.map((body) => gzipSync(body)) : bodies
  const frames: Uint8Array[] = []
  for (const content of contents) {
    const before = (message: RequestMessage): RequestMessage => ({
      ...message,
      fields: [...message.fields, ...(isPacked ? ([['content-encoding', 'gzip']] as const) : [])],
      content: new Uint8Array(content),
    })
    frames.push((await prepareLogin(target, { before })).frame)
  }
  begin()
  await inParallel(8, async () => {
    for (const frame of frames) await post(service, frame)
  })
}

comeFrom(attackerAddress)
const attack = attacks[name]
if (attack === undefined) throw new Error(`no such attack: ${name}`)
await attack()
