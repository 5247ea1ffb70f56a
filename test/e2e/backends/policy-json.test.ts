/** An attacker with a session tries to make the gateway and a backend read different amounts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Field } from '../../../crypto/frames/binary-http.ts'
import { encodeUtf8 } from '../../../crypto/text.ts'
import { parseRoutes } from '../../../service/gateway/routes.ts'
import { foldedName } from '../../../service/gateway/unambiguous-json.ts'
import type { RawSession, ReceivedReply } from '../../support/raw-client.ts'
import { logIn } from '../../support/raw-client.ts'
import type { OwnService } from '../../support/service.ts'
import { startTestService } from '../../support/service.ts'
import type { TestUpstream } from '../../support/upstream.ts'
import { startUpstream } from '../../support/upstream.ts'
import type { Reading, RunningReader } from './readers/reader.ts'
import { listFoldedByGo, startReader } from './readers/reader.ts'

const folder = mkdtempSync(join(tmpdir(), 'miniseal-policy-'))
let go: RunningReader | undefined
let upstream: TestUpstream
let service: OwnService
let session: RawSession

beforeAll(async () => {
  upstream = await startUpstream((_request, response) => response.end('done'))
  go = await startReader('go')
  const ruled = (path: string, origin: string, member: string, shown = '') => {
    return {
      path,
      upstream: origin,
      step_up: { above: { member, value: 1000 }, summary: `{${member}}${shown}` },
    }
  }
  const routes = ['/kept', '/go'].flatMap((path) => {
    const origin = path === '/go' ? (go?.origin ?? upstream.origin) : upstream.origin
    return [ruled(`${path}/pay`, origin, 'amount', ' {payee}'), ruled(`${path}/tokens`, origin, 'tokens')]
  })
  const always = { path: '/always', upstream: upstream.origin, step_up: { always: true } }
  writeFileSync(join(folder, 'routes.json'), JSON.stringify([...routes, always]))
  service = await startTestService({ environment: { MINISEAL_ROUTES_FILE: join(folder, 'routes.json') } })
  session = await logIn(service)
}, 120_000)

afterAll(async () => {
  await service.close()
  await go?.close()
  upstream.close()
  rmSync(folder, { recursive: true, force: true })
})

interface Sent {
  readonly type?: string
  readonly fields?: readonly Field[]
}

async function post(
  path: string,
  content: string | Uint8Array,
  { type, fields = [] }: Sent = {},
): Promise<ReceivedReply> {
  const bytes = typeof content === 'string' ? encodeUtf8(content) : content
  return await session.send({
    method: 'POST',
    path,
    body: {},
    before: (message) => ({
      ...message,
      content: bytes,
      fields: [
        ...message.fields.map(
          ([name, value]): Field => [name, name === 'content-type' ? (type ?? value) : value],
        ),
        ...fields,
      ],
    }),
  })
}

const refusal = { code: 'payload_invalid', step: 'handler', status: 400 }

/** The member of the rule, and a body. */
const twoReadings: readonly (readonly ['amount' | 'tokens', string | Uint8Array])[] = [
  ['amount', '{"amount":1,"amount":999999}'],
  ['amount', '{"amount":1,"Amount":999999}'],
  ['amount', '{"AMOUNT":999999,"amount":1}'],
  ['amount', '{"amount":1,"\\u0041mount":999999}'],
  ['amount', '{"amount":1,"ａmount":999999}'],
  ['amount', '{"Amount":999999}'],
  ['tokens', '{"tokens":1,"tokenſ":999999}'],
  ['tokens', '{"tokens":1,"to\u212aens":999999}'],
  ['tokens', '{"tokens":1,"TO\\u212aEN\\u017f":999999}'],
  ['tokens', '{"tokenſ":1}'],
  ['amount', '{"amount":1,"payee":"bob","Payee":"eve"}'],
  ['amount', '{"amount":5000,"Payee":"eve"}'],
  ['amount', '{"amount":1,"other":{"a":1,"a":2}}'],
  ['amount', '{"amount":1,"x":1,"X":2}'],
  ['amount', '{"amount":1,"id":1,"\\u0130d":2}'],
  ['amount', '{"amount":1,"id":1,"\\u0131d":2}'],
  ['amount', '{"amount":1,"amo\\u200bunt":999999}'],
  ['amount', '{"amount":1,"\\ufeffamount":999999}'],
  ['amount', '{"amo\\u00adunt":999999}'],
  ['amount', '{"amount":1,"amount\\u0000x":999999}'],
  ['amount', '{"amount":1,"\\ud800":999999}'],
  ['amount', '{"amount":1,"payee":"\\udc00"}'],
  ['amount', '{"amount":1e6}'],
  ['amount', '{"amount":1E-1}'],
  ['amount', '{"amount":1000.0000000000001}'],
  ['amount', '{"amount":1000.00000000000000001}'],
  ['amount', '{"amount":-9007199254740993}'],
  ['amount', '{"amount":0.1234567890123456}'],
  ['amount', '{"amount":01}'],
  ['amount', '{"amount":+1}'],
  ['amount', '{"amount":"1"}'],
  ['amount', '{"amount":null}'],
  ['amount', '{"amount":[1]}'],
  ['amount', '{"amount":true}'],
  ['amount', '{}'],
  ['amount', ''],
  ['amount', 'null'],
  ['amount', '[{"amount":1}]'],
  ['amount', '{"amount":1}{"amount":999999}'],
  ['amount', '{"amount":1}//'],
  ['amount', '{"amount":1,}'],
  ['amount', '\ufeff{"amount":1}'],
  ['amount', Uint8Array.from(Buffer.from('{"amount":1}', 'utf16le'))],
  ['amount', Uint8Array.from([...Buffer.from('{"amount":1,"'), 0xc3, 0x28, ...Buffer.from('":2}')])],
]

it.each(twoReadings)('the gateway refuses an ambiguous body of %s: %s', async (member, body) => {
  const before = upstream.arrived.length
  expect((await post(`/kept/${member === 'amount' ? 'pay' : 'tokens'}`, body)).json).toMatchObject(refusal)
  expect(upstream.arrived).toHaveLength(before)
})

it.each([
  'application/x-www-form-urlencoded',
  'text/plain',
  'text/json',
  'application/json, text/plain',
  'application/json; charset=utf-16',
  'application/json; charset=utf-8; charset=utf-16',
  'application/json; boundary=x',
  'application/vnd.pay+json',
  'Application/JSON',
])('the gateway refuses a body of the type %s', async (type) => {
  expect((await post('/kept/pay', '{"amount":1}', { type })).json).toMatchObject(refusal)
})

it.each(['application/json', 'application/json;charset=utf-8', 'application/json; charset=UTF-8'])(
  'the gateway accepts a body of the type %s',
  async (type) => {
    expect((await post('/kept/pay', '{"amount":1}', { type })).status).toBe(200)
  },
)

it.each(['gzip', 'deflate', 'identity', 'br'])(
  'the gateway refuses the content coding %s',
  async (coding) => {
    const content = coding === 'gzip' ? gzipSync('{"amount":1}') : '{"amount":1}'
    const reply = await post('/kept/pay', content, { fields: [['content-encoding', coding]] })
    expect(reply.json).toMatchObject(refusal)
  },
)

it('the rule compares exactly, and the summary shows the compared value', async () => {
  for (const amount of ['1000', '999.999999999999', '-5', '0', '-0', '1000.000000000'])
    expect((await post('/kept/pay', `{"amount":${amount}}`)).status).toBe(200)
  for (const amount of ['1001', '1000.00000000001', '999999999999999']) {
    const { json } = await post('/kept/pay', `{"amount":${amount},"payee":"bob"}`)
    expect(json).toMatchObject({ code: 'step_up_required', summary: `${amount} bob` })
  }
})

it('the gateway does not read the body when neither rule nor summary uses it', async () => {
  const reply = await post('/always', 'a=b', { type: 'application/x-www-form-urlencoded' })
  expect(reply.json).toMatchObject({ code: 'step_up_required', summary: 'POST /always' })
})

it('the routes file refuses a value that cannot be compared exactly', () => {
  for (const value of [1e21, 1234567890123456, 0.1234567890123456, 1e-7]) {
    const step_up = { above: { member: 'amount', value }, summary: '{amount}' }
    const routes = [{ path: '/a', upstream: 'http://h', step_up }]
    expect(() => parseRoutes(JSON.stringify(routes))).toThrow(/route 1, step_up/)
  }
})

describe('a backend with encoding/json', () => {
  const bodies = [
    ...twoReadings,
    ['amount', '{"amount":1000,"payee":"bob"}'],
    ['amount', '{"payee":"bob","amount":12.5,"items":[{"Amount":999999}],"more":{"amount":999999}}'],
    ['tokens', '{"tokens":7,"amounts":999999}'],
  ] as const

  it.each(bodies)('a Go backend pays no %s above the rule: %s', async (member, body) => {
    const { json } = await post(`/go/${member === 'amount' ? 'pay' : 'tokens'}`, body)
    if (json?.code === 'payload_invalid' || json?.code === 'step_up_required') return
    const { payment } = json as Reading
    expect(payment?.[member]).toBeLessThanOrEqual(1000)
    expect(payment?.[member]).toBe((JSON.parse(String(body)) as Record<string, unknown>)[member])
  })

  it('Go matches no two member names that the gateway distinguishes', { timeout: 60_000 }, async () => {
    const pairs = await listFoldedByGo()
    expect(pairs.length).toBeGreaterThan(2_000)
    const apart = pairs.filter(([one, other]) => foldedName(one) !== foldedName(other))
    expect(apart).toEqual([])
  })
})
