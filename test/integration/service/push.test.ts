/** `POST /push` and `miniseal push`. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createSigner, httpbis } from 'http-message-signatures'
import { expect, it } from 'vitest'
import { CommandFailed, UsageError } from '../../../service/cli/command.ts'
import { push as pushCommand } from '../../../service/cli/commands/push.ts'
import { readConfig } from '../../../service/config/config.ts'
import { ConfigError } from '../../../service/config/environment.ts'
import { runCommand } from '../../support/command.ts'
import { ownService, sharedFolder, sharedService, sharedSession } from '../../support/hooks.ts'
import { newBackend, type PushParts, signedPush } from '../../support/push-request.ts'
import { eventJson, openSocket } from '../../support/raw-socket.ts'
import { until } from '../../support/until.ts'

const orders = newBackend('orders')
const support = newBackend('support')
const stranger = newBackend('orders')

const service = sharedService({
  environment: { MINISEAL_PUSH_KEYS: `${orders.entry}, ${support.entry}` },
})
const session = sharedSession(service)

const folder = sharedFolder()

async function post({ headers, body }: { headers: Record<string, string>; body: string }, path = '/push') {
  const response = await fetch(`${service.url}${path}`, { method: 'POST', headers, body })
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever members they expect
  return { status: response.status, headers: response.headers, json: (await response.json()) as any }
}

function event(n = 1) {
  return { user: session.user, type: 'order-paid', data: { n } }
}

async function push(parts: PushParts = {}, backend = orders) {
  return await post(signedPush(backend, service.origin, { event: event(), ...parts }))
}

async function lastNumber(): Promise<number> {
  return (await session.send({ path: '/events?limit=1' })).json.last
}

it('each backend with a push key can push an event, and a socket receives it at once', async () => {
  const socket = await openSocket(service)
  const after = await lastNumber()
  await socket.subscribe(session, after)
  const first = await push()
  expect([first.status, first.json]).toEqual([201, { sequence: after + 1 }])
  expect(first.headers.get('cache-control')).toBe('no-store')
  expect((await push({ event: event(2), label: 'sig1' }, support)).json).toEqual({ sequence: after + 2 })
  await until(() => socket.events.length === 2)
  expect(socket.events.map((each) => eventJson(each).data.n)).toEqual([1, 2])
})

it('a push signed by an unrelated library is accepted', async () => {
  const { headers, body } = signedPush(orders, service.origin, { event: event() })
  const { 'signature-input': _input, signature: _signature, ...plain } = headers
  const request = { method: 'POST', url: `${service.origin}/push`, headers: plain }
  const signed = await httpbis.signMessage(
    {
      key: { ...createSigner(orders.privateKey, 'ed25519', 'orders') },
      name: 'mine',
      fields: ['content-digest', '@path', '@method', 'content-type', '@authority'],
      params: ['created', 'keyid', 'nonce', 'tag'],
      paramValues: { nonce: randomBytes(16).toString('base64url'), tag: 'miniseal-push' },
    },
    request,
  )
  expect((await post({ headers: signed.headers as Record<string, string>, body })).status).toBe(201)
})

it('the push example of the integration guide is accepted', async () => {
  const guide = readFileSync(new URL('../../../docs/guides/integration.md', import.meta.url), 'utf8')
  const [, code] = /```js\n([\s\S]*?)```/.exec(guide.slice(guide.indexOf('## Pushing events'))) ?? []
  const file = join(folder, 'push.mjs')
  writeFileSync(file, code ?? '')
  const program = await import(/* @vite-ignore */ file)
  const { privateKey } = orders
  const to = { url: service.url, origin: service.origin, keyid: 'orders', privateKey }
  const number = await program.push(to, event(), 'from the guide')
  expect(number).toBe(await lastNumber())
  expect(await program.push(to, event(), 'from the guide')).toBe(number)
  await expect(program.push({ ...to, keyid: 'support' }, event(), 'x')).rejects.toThrow('signature_invalid')
})

it('a repeated push with the same Idempotency-Key is stored once and gets 200 with the same sequence number', async () => {
  const first = await push({ id: 'paid 7' })
  expect(first.status).toBe(201)
  const again = await push({ id: 'paid 7' })
  expect([again.status, again.json]).toEqual([200, first.json])
  const other = await push({ id: 'paid 7', event: event(8) })
  expect([other.status, other.json.code]).toEqual([422, 'idempotency_mismatch'])
})

it('a copied push request is refused as replayed', async () => {
  const request = signedPush(orders, service.origin, { event: event() })
  expect((await post(request)).status).toBe(201)
  const again = await post(request)
  expect([again.status, again.json.code, again.json.step]).toEqual([409, 'replayed', 'claim'])
})

const now = () => Math.floor(Date.now() / 1000)
const derived = ['@method', '@authority', '@path']

/** By code and status. */
const refused: Readonly<Record<string, Readonly<Record<string, () => PushParts>>>> = {
  'signature_missing 401': {
    'no signature': () => ({ after: ({ signature: _, ...rest }) => rest }),
    'another tag': () => ({ tag: 'miniseal' }),
  },
  'key_unknown 401': {
    'an unknown key': () => ({ keyid: 'accounts' }),
    'a name of Object.prototype': () => ({ keyid: 'constructor' }),
  },
  'signature_invalid 401': {
    'the other backend’s name': () => ({ keyid: 'support' }),
    'another authority': () => ({ authority: 'pay.example.org' }),
  },
  'digest_mismatch 400': { 'a body that is not the signed one': () => ({ after: spoiledDigest }) },
  'window_invalid 401': {
    'an old signature': () => ({ created: now() - 130 }),
    'a signature from the future': () => ({ created: now() + 20 }),
  },
  'signature_malformed 401': {
    'a short nonce': () => ({ nonce: 'abcd' }),
    'an unknown parameter': () => ({ more: ';expires=99999999999' }),
  },
  'alg_not_allowed 401': { 'an algorithm': () => ({ more: ';alg="ed25519"' }) },
  'components_incomplete 401': {
    'an uncovered body': () => ({ covered: ['@method', '@authority', '@path', 'content-type'] }),
    'an uncovered method': () => ({ covered: ['@authority', '@path', 'content-type', 'content-digest'] }),
    'an uncovered key': () => ({ id: 'x', covered: [...derived, 'content-type', 'content-digest'] }),
    'a component twice': () => ({
      covered: ['@method', '@method', '@path', 'content-type', 'content-digest'],
    }),
  },
  'not_found 404': { 'an unknown user': () => ({ event: { ...event(), user: 'u_nobody' } }) },
  'payload_invalid 400': {
    'a user of another form': () => ({ event: { ...event(), user: 'u\u0000' } }),
    'no type': () => ({ event: { user: session.user, data: {} } }),
    'more members': () => ({ event: { ...event(), time: 5 } }),
    'a member twice': () => ({ body: `{"user":"${session.user}","user":"u_2","type":"a","data":{}}` }),
    'an event over the limit': () => ({ event: { ...event(), data: { text: 'x'.repeat(20_000) } } }),
    'a body over the limit': () => ({ event: { ...event(), data: { text: 'x'.repeat(70_000) } } }),
  },
  'idempotency_missing 400': { 'an empty Idempotency-Key': () => ({ id: '' }) },
}

function spoiledDigest(headers: Record<string, string>): Record<string, string> {
  return { ...headers, 'content-digest': `sha-256=:${Buffer.alloc(32).toString('base64')}:` }
}

for (const [refusal, cases] of Object.entries(refused)) {
  it.each(Object.entries(cases))('a push with %s is refused and stores nothing', async (_, parts) => {
    const before = await lastNumber()
    const { status, json } = await push(parts())
    expect(`${json.code} ${status}`).toBe(refusal)
    expect(await lastNumber()).toBe(before)
  })
}

it('a push signed by another key of the same name is refused', async () => {
  const { status, json } = await push({}, stranger)
  expect([status, json.code, json.step]).toEqual([401, 'signature_invalid', 'verify'])
})

it('a push with a query is refused, because no signature covers it', async () => {
  const answer = await post(signedPush(orders, service.origin, { event: event() }), '/push?user=u_2')
  expect([answer.status, answer.json.code]).toEqual([400, 'payload_invalid'])
})

it('POST /push answers 404 without push keys', async () => {
  const own = await ownService()
  const { headers, body } = signedPush(orders, own.origin, { event: event() })
  const answer = await fetch(`${own.origin}/push`, { method: 'POST', headers, body })
  expect([answer.status, await answer.text()]).toEqual([
    404,
    await (await fetch(`${own.origin}/nothing`)).text(),
  ])
})

it.each([
  'orders',
  'orders=',
  `Orders=${'A'.repeat(43)}`,
  'orders=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
  `${orders.entry},${stranger.entry}`,
  `${orders.entry},`,
  `${orders.entry},again${orders.entry.slice('orders'.length)}`,
  `x=${generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x}=`,
])('the service does not start with MINISEAL_PUSH_KEYS %s', (text) => {
  const environment = { MINISEAL_DATA: service.environment.MINISEAL_DATA, MINISEAL_PUSH_KEYS: text }
  expect(() => readConfig(environment)).toThrow(ConfigError)
})

it('the log records the result of a push and nothing of its content', async () => {
  await push({ event: { ...event(), type: 'whispered', data: { text: 'secret' } } })
  await push({ keyid: 'accounts' })
  const lines = service
    .logText()
    .split('\n')
    .filter((line) => line.includes('"kind":"push"'))
  expect(lines.some((line) => line.includes('"status":201'))).toBe(true)
  expect(lines.some((line) => line.includes('"code":"key_unknown"'))).toBe(true)
  for (const word of ['secret', 'whispered', session.user]) expect(service.logText()).not.toContain(word)
})

async function command(...args: string[]): Promise<{ code: number; out: string }> {
  const { code, out } = await runCommand(pushCommand, args, service.environment)
  return { code, out }
}

it('`miniseal push` stores an event while the service runs, and a socket receives it', async () => {
  const socket = await openSocket(service)
  const after = await lastNumber()
  await socket.subscribe(session, after)
  const text = '{"type":"maintenance","data":{"from":"22:00"}}'
  const first = await command(session.user, '-d', text, '--id', 'tonight')
  expect(first).toEqual({ code: 0, out: `event ${after + 1}\n` })
  const again = await command(session.user, '--data', text, '--id', 'tonight')
  expect(again).toEqual({ code: 0, out: `event ${after + 1}, already stored\n` })
  await until(() => socket.events.length === 1)
  expect(socket.events.map((each) => eventJson(each).data)).toEqual([{ from: '22:00' }])
})

it.each([
  [[]],
  [['u_1']],
  [['u_1', '-d', 'no json']],
  [['u_1', '-d', '{"type":"a"}']],
  [['u_1', '-d', '{"type":"A","data":{}}']],
  [['u_1', 'u_2', '-d', '{"type":"a","data":{}}']],
])('`miniseal push` refuses the arguments %j', async (args) => {
  await expect(command(...args)).rejects.toThrow(UsageError)
})

it('`miniseal push` refuses an unknown user', async () => {
  await expect(command('u_nobody', '-d', '{"type":"a","data":{}}')).rejects.toThrow(CommandFailed)
})
