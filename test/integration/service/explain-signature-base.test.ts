/** In development the refusal of a signature describes the signature base; in production it does not, and nothing else differs. */
import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RequestMessage } from '../../../crypto/frames/binary-http.ts'
import { parseRequestSignature } from '../../../crypto/http-signatures/signed-request.ts'
import { explainCapture, interactiveBudget, knownKey } from '../../../packages/verify/explain/index.ts'
import { readCapture } from '../../../service/explain/inputs.ts'
import { httpText } from '../../support/captured.ts'
import { newBackend, signedPush } from '../../support/push-request.ts'
import type { RawSession, ReceivedReply, RequestParts } from '../../support/raw-client.ts'
import { logIn, newDevice, prepareLogin, send } from '../../support/raw-client.ts'
import { type OwnService, startTestService, type TestService } from '../../support/service.ts'

const app = 'wx0123456789abcdef:a-secret-that-production-takes'
const backend = newBackend('orders')

/** A service in each mode, on one sandbox. */
interface Mode {
  readonly service: TestService
  readonly session: RawSession
}

let started: OwnService[] = []
let development: Mode
let production: Mode

beforeAll(async () => {
  const common = {
    MINISEAL_WECHAT_APPS: app,
    MINISEAL_PUSH_KEYS: backend.entry,
    MINISEAL_UPSTREAMS: '/x=http://127.0.0.1:9',
  }
  const first = await startTestService({ environment: common })
  const second = await startTestService({
    environment: {
      ...common,
      NODE_ENV: 'production',
      MINISEAL_ORIGIN: 'https://pay.example.com',
      MINISEAL_MASTER_KEY: randomBytes(32).toString('base64'),
      MINISEAL_WECHAT_API: first.sandboxUrl,
    },
  })
  started = [second, first]
  development = { service: first, session: await logIn(first) }
  production = { service: second, session: await logIn(second) }
})

afterAll(async () => {
  for (const service of started) await service.close()
})

const developmentMembers = ['base_sha256', 'base_lengths']

/** Without origin, time and request id. */
function comparable({ status, fields, json }: ReceivedReply): unknown {
  const { type, instance, time, ...members } = json
  const names = fields.map(([name]) => name).sort()
  expect([typeof type, typeof instance, typeof time]).toEqual(['string', 'string', 'number'])
  for (const name of developmentMembers) delete members[name]
  return {
    status,
    names,
    members,
    order: Object.keys(json).filter((name) => !developmentMembers.includes(name)),
  }
}

/** Signed by another key under the keyid of the session's key. */
function forged({ session }: Mode): Promise<ReceivedReply> {
  const signer = { ...newDevice().signer, keyid: session.device.signer.keyid }
  return session.send({ path: '/x/1?q=1', signer })
}

async function forgedLogin({ service }: Mode): Promise<ReceivedReply> {
  const device = newDevice()
  const signer = { ...newDevice().signer, keyid: device.signer.keyid }
  return await send(service, await prepareLogin(service, { device, signer }))
}

async function forgedPush({ service }: Mode): Promise<ReceivedReply> {
  const event = { user: 'u_nobody', type: 'order-paid', data: {} }
  const { headers, body } = signedPush({ ...newBackend('orders'), name: 'orders' }, service.origin, { event })
  const response = await fetch(`${service.url}/push`, { method: 'POST', headers, body })
  const fields = [...response.headers].filter(([name]) => name !== 'date')
  return {
    kind: 'clear',
    outer: response.status,
    status: response.status,
    fields,
    json: await response.json(),
  }
}

describe.each([
  ['a request', forged],
  ['a login', forgedLogin],
  ['a push', forgedPush],
] as const)('%s whose signature does not verify', (_title, make) => {
  it('the refusal contains the signature base in development only and is otherwise the same', async () => {
    const [open, closed] = [await make(development), await make(production)]
    expect([open.json.code, closed.json.code]).toEqual(['signature_invalid', 'signature_invalid'])
    expect(open.json.base_sha256).toMatch(/^[0-9a-f]{64}$/)
    expect(open.json.base_lengths).toMatch(/^@method=\d+ @authority=\d+ .*@signature-params=\d+$/)
    expect(Object.keys(closed.json).filter((name) => name.startsWith('base'))).toEqual([])
    expect(JSON.stringify(closed.json)).not.toContain('base_')
    expect(comparable(open)).toEqual(comparable(closed))
  })
})

it('other refusals are the same in both modes and contain no signature base', async () => {
  const wrong: readonly RequestParts[] = [
    { created: 1_000_000_000 },
    { token: undefined },
    { path: '/nowhere' },
    {
      after: (message) => ({ ...message, content: new Uint8Array(1) }),
      method: 'POST',
      path: '/x/1',
      body: { n: 1 },
    },
  ]
  for (const parts of wrong) {
    const [open, closed] = [await development.session.send(parts), await production.session.send(parts)]
    expect(Object.keys(open.json).filter((name) => developmentMembers.includes(name))).toEqual([])
    expect(comparable(open)).toEqual(comparable(closed))
  }
})

describe('with the refusal of a development service', () => {
  let signed: RequestMessage

  /** What the client signed, and what it sent. */
  async function refused(path: string, sent: (path: string) => string): Promise<ReceivedReply> {
    const after = (message: RequestMessage): RequestMessage => {
      signed = message
      return { ...message, path: sent(message.path) }
    }
    return await development.session.send({ path, after })
  }

  function explained(problem: unknown) {
    const capture = { ...readCapture(httpText(signed)), ...readCapture(Buffer.from(JSON.stringify(problem))) }
    const key = knownKey(development.session.device.publicKey, undefined, 'option')
    return explainCapture(capture, { keys: [key], now: development.service.now(), budget: interactiveBudget })
      .signatures[0]
  }

  it('explain shows how the service’s base differs from that of the client', async () => {
    const { json } = await refused('/x/1?q=a%20b', (path) => path.replace('%20', '+'))
    const report = explained(json)
    expect(report?.steps.find(({ name }) => name === 'verify')?.outcome).toBe('ok')
    expect(report?.service).toEqual([{ id: 'query-plus', detail: '?q=a+b' }])
    expect(report?.other).toMatchObject({
      whose: 'service',
      base: expect.stringContaining('"@query": ?q=a+b'),
    })
    expect(report?.difference).toMatchObject({ component: '@query', ours: 0x25, theirs: 0x2b })
  })

  it('explain names the component whose length differs when no known change explains the difference', async () => {
    const { json } = await refused('/x/1', () => '/x/11111')
    expect(explained(json)?.service).toEqual([{ id: 'service-length', detail: '@path: 4 / 8' }])
  })

  it('explain reports that the service computed the same base', async () => {
    const signer = { ...newDevice().signer, keyid: development.session.device.signer.keyid }
    const after = (message: RequestMessage): RequestMessage => {
      signed = message
      return message
    }
    const { json } = await development.session.send({ path: '/x/1', signer, after })
    const { base } = parseRequestSignature(signed)
    expect(json.base_sha256).toBe(createHash('sha256').update(base).digest('hex'))
    expect(explained(json)?.service).toEqual([{ id: 'service-same', detail: '' }])
  })
})
