/** The programs of the integration guides behind the real gateway: what they let through, and what they refuse. */
import { request as sendRequest } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { forwarded } from '../support/forwarded.ts'
import type { RawSession } from '../support/raw-client.ts'
import { logIn, newDevice } from '../support/raw-client.ts'
import type { OwnService } from '../support/service.ts'
import { startTestService } from '../support/service.ts'
import { freePort } from '../support/service-process.ts'
import type { Arrived, TestUpstream } from '../support/upstream.ts'
import { startUpstream } from '../support/upstream.ts'
import type { Guide, RunningProgram } from './guide-programs.ts'
import { guides, languages, programOf, startProgram } from './guide-programs.ts'

const here = guides.filter((guide) => languages[guide].isHere)
const programs = new Map<Guide, RunningProgram>()
let recorder: TestUpstream
let service: OwnService
let session: RawSession

beforeAll(async () => {
  recorder = await startUpstream((_request, response) => response.end('{}'))
  const ports = new Map<Guide, number>()
  for (const guide of here) ports.set(guide, await freePort())
  const routes = here.map((guide) => `/${guide}=http://127.0.0.1:${ports.get(guide)}`)
  const upstreams = [...routes, `/seen=${recorder.origin}`].join(',')
  service = await startTestService({ environment: { MINISEAL_UPSTREAMS: upstreams } })
  const starts = [...ports].map(async ([guide, its]) => {
    programs.set(guide, await startProgram(guide, service.origin, its))
  })
  await Promise.all(starts)
  session = await logIn(service)
}, 120_000)

afterAll(async () => {
  for (const program of programs.values()) await program.close()
  await service.close()
  recorder.close()
})

/** A request exactly as the gateway sent it, to be changed and sent past the gateway. */
async function record(ageInSeconds = 0): Promise<Arrived> {
  service.advanceClock(-ageInSeconds)
  const answer = await session.send({
    method: 'POST',
    path: '/seen/1?x=%20a',
    body: { n: 1 },
    key: `k${Math.random()}`,
  })
  service.advanceClock(ageInSeconds)
  expect(answer.status).toBe(200)
  return recorder.last()
}

/** `fetch` would not send this Host. */
async function send(
  guide: Guide,
  { method, url, headers, body }: Arrived,
): Promise<{ status: number; json: unknown }> {
  return await new Promise((resolve, reject) => {
    const request = sendRequest(`${programs.get(guide)?.url}${url}`, { method, headers }, (response) => {
      text(response).then((content) => {
        resolve({ status: response.statusCode ?? 0, json: JSON.parse(content) })
      }, reject)
    })
    request.on('error', reject)
    request.end(body)
  })
}

const withFields = (request: Arrived, headers: Readonly<Record<string, string>>): Arrived => {
  return { ...request, headers: { ...request.headers, ...headers } }
}

describe.each(here)('the program of the guide for %s', (guide) => {
  it('knows who sent a request that comes through the gateway', async () => {
    const path = `/${guide}/7?who='me'&n=%20`
    expect(await session.send({ path })).toMatchObject({ status: 200, json: { user: session.user, path } })
    const posted = await session.send({ method: 'POST', path: `/${guide}`, body: { n: '午' }, key: guide })
    expect(posted).toMatchObject({ status: 200, json: { user: session.user } })
  })

  it('takes a recorded request as long as nothing of it is changed', async () => {
    const request = await record()
    expect(await send(guide, request)).toMatchObject({ status: 200, json: { user: session.user } })
  })

  it.each<[string, (request: Arrived) => Arrived]>([
    ['another body', (request) => ({ ...request, body: '{"n":2}' })],
    [
      'no digest of its body',
      ({ headers: { 'content-digest': _, ...headers }, ...rest }) => ({ ...rest, headers }),
    ],
    ['another path', (request) => ({ ...request, url: '/seen/2?x=%20a' })],
    ['another query', (request) => ({ ...request, url: '/seen/1?x=%20b' })],
    ['another method', (request) => ({ ...request, method: 'PUT' })],
    ['another covered field', (request) => withFields(request, { 'content-type': 'text/plain' })],
    ['a field more of those that are covered', (request) => withFields(request, { 'if-none-match': '"a"' })],
    ['another Idempotency-Key', (request) => withFields(request, { 'idempotency-key': '"other"' })],
    ['another caller', (request) => withFields(request, { 'miniseal-caller': 'user="other"' })],
    ['another device key', (request) => withFields(request, { 'miniseal-device-key': newDevice().x })],
    ['the gateway’s signature alone', (request) => onlyMember(request, 'gateway')],
    ['the device’s signature alone', (request) => onlyMember(request, 'sig')],
    ['the device’s signature under the gateway’s name', (request) => renamed(request)],
    ['no signature', ({ headers: { signature: _, ...headers }, ...rest }) => ({ ...rest, headers })],
  ])('refuses a request with %s', async (_title, change) => {
    const request = await record()
    const body = change(request).body
    const changed = withFields(change(request), { 'content-length': `${Buffer.byteLength(body)}` })
    expect(await send(guide, changed)).toMatchObject({ status: 401 })
  })

  it('refuses a request that the gateway signed with a key that is not published', async () => {
    const unpublished = forwarded(session)
    const { headers } = unpublished
    expect(
      await send(guide, withFields(unpublished, { host: new URL(service.origin).host, ...strings(headers) })),
    ).toMatchObject({
      status: 401,
    })
  })

  it('refuses a request that the gateway passed on more than a minute ago, and takes a younger one', async () => {
    expect(await send(guide, await record(40))).toMatchObject({ status: 200 })
    expect(await send(guide, await record(75))).toMatchObject({ status: 401 })
  })

  it('shows all of the verifying in less than thirty lines', () => {
    const [, inside = ''] =
      /---- verifying ----\n([\s\S]*?)[^\n]*---- until here ----/.exec(programOf(guide)) ?? []
    const lines = inside.split('\n').filter((line) => /\S/.test(line) && !/^\s*(\/\/|\/\*\*|""")/.test(line))
    expect(lines.length).toBeGreaterThan(1)
    expect(lines.length).toBeLessThan(30)
  })
})

function strings(headers: Arrived['headers']): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}

/** Leaves one of the two signatures. */
function onlyMember(request: Arrived, label: 'sig' | 'gateway'): Arrived {
  const cut = (field: string): string => {
    const [sig = '', gateway = ''] = String(request.headers[field]).split(', gateway=')
    return label === 'sig' ? sig : `gateway=${gateway}`
  }
  return withFields(request, { 'signature-input': cut('signature-input'), signature: cut('signature') })
}

/** The device's own signature twice, the second time in the place of the service's. */
function renamed(request: Arrived): Arrived {
  const twice = (field: string): string => {
    const [sig = ''] = String(request.headers[field]).split(', gateway=')
    return `${sig}, ${sig.replace(/^sig=/, 'gateway=')}`
  }
  return withFields(request, { 'signature-input': twice('signature-input'), signature: twice('signature') })
}
