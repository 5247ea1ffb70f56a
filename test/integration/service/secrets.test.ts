/** Canaries: secrets are searched for in logs, answers and the database. */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { sandboxApp } from '../../../service/wechat/apps.ts'
import { createSandbox } from '../../../service/wechat/sandbox/sandbox.ts'
import { logIn, prepareLogin, type RawSession, send } from '../../support/raw-client.ts'
import { startTestService, type TestService } from '../../support/service.ts'

const drawn: Buffer[] = []
const sandbox = createSandbox({
  apps: [sandboxApp],
  random: (length) => {
    const bytes = randomBytes(length)
    drawn.push(bytes)
    return bytes
  },
})
const openid = 'openid-canary-5e1f'
const note = 'note-canary-77a0'
let service: TestService
let session: RawSession
let code: string
const answers: string[] = []

beforeAll(async () => {
  const { url } = await sandbox.start(0, '127.0.0.1')
  service = await startTestService({ environment: { MINISEAL_WECHAT_API: url } })
  code = await service.code(openid)
  session = await logIn(service, { code, openid })
  const body = { payee: 'bob', amount: 100, currency: 'CNY', note }
  await session.send({ method: 'POST', path: '/wallet/transfers', body })
  const refused = [
    await send(service, await prepareLogin(service, { code })),
    await session.send({ token: 'token-canary.a.b' }),
    await session.send({ method: 'POST', path: '/wallet/transfers', body: { ...body, amount: -1 } }),
    await session.send({ path: '/path-canary' }),
  ]
  await service.sandbox('/sandbox/faults', { path: 'sns/jscode2session', drop: true })
  refused.push(await send(service, await prepareLogin(service, { openid })))
  answers.push(...refused.map((received) => JSON.stringify(received)))
  expect(refused.map(({ json }) => json.code)).toEqual([
    'login_code_used',
    'token_invalid',
    'payload_invalid',
    'not_found',
    'wechat_unavailable',
  ])
})

afterAll(async () => {
  await service.close()
  await sandbox.close()
})

function sessionKeys(): string[] {
  return drawn.filter(({ length }) => length === 16).map((bytes) => bytes.toString('base64'))
}

function databaseText(): string {
  const folder = service.environment.MINISEAL_DATA ?? ''
  const files = readdirSync(folder).filter((name) => name.startsWith('miniseal.db'))
  return files.map((name) => readFileSync(join(folder, name)).toString('latin1')).join('\n')
}

it('the sandbox creates session keys, without which the other tests prove nothing', () => {
  expect(sessionKeys().length).toBeGreaterThan(0)
})

it('log lines exist for every exchange and call, without secrets, codes, tokens, identities, paths or bodies', () => {
  const log = service.logText()
  expect(log).toContain('"event":"exchange.completed"')
  expect(log).toContain('"code":"token_invalid"')
  expect(log).toContain('"api":"sns/jscode2session"')
  const canaries = [
    sandboxApp.secret,
    code,
    session.token,
    openid,
    note,
    'token-canary',
    'path-canary',
    '/wallet',
  ]
  for (const canary of [...canaries, ...sessionKeys(), session.user, session.device.signer.keyid]) {
    expect(log).not.toContain(canary)
  }
})

it('a refusal reveals nothing that the client did not send', () => {
  for (const canary of [sandboxApp.secret, openid, code, ...sessionKeys()]) {
    for (const answer of answers) expect(answer).not.toContain(canary)
  }
})

it('session keys, identities and codes are wrapped or hashed in the database', () => {
  const text = databaseText()
  expect(text).toContain(session.user)
  const raw = [session.keys.c2s, session.keys.s2c].map((key) => Buffer.from(key).toString('latin1'))
  for (const canary of [openid, code, session.token, ...raw, ...sessionKeys()])
    expect(text).not.toContain(canary)
})
