/** The programs of the integration guides behind the real gateway: what they let through, and what they refuse. */
import { request as sendRequest } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Field } from '../../crypto/binary-http.ts'
import { signatureBase } from '../../crypto/signature-base.ts'
import type { BareItem } from '../../crypto/structured-fields.ts'
import { parseDictionary, serializeInnerList } from '../../crypto/structured-fields.ts'
import { encodeAscii, encodeUtf8 } from '../../crypto/text.ts'
import { sodiumPrimitives as primitives } from '../../service/keys/sodium-primitives.ts'
import { jwkOf } from '../support/forwarded.ts'
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
const published = newDevice()
let recorder: TestUpstream
let service: OwnService
let session: RawSession

beforeAll(async () => {
  recorder = await startUpstream((request, response) => {
    if (request.url?.startsWith('/.well-known/') !== true) response.end('{}')
    else publishedKeys(request.url).then((set) => response.end(set))
  })
  const ports = new Map<Guide, number>()
  for (const guide of here) ports.set(guide, await freePort())
  const routes = here.map((guide) => `/${guide}=http://127.0.0.1:${ports.get(guide)}`)
  const upstreams = [...routes, `/seen=${recorder.origin}`].join(',')
  service = await startTestService({
    environment: { MINISEAL_UPSTREAMS: upstreams, MINISEAL_ORIGIN: recorder.origin },
  })
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

/** What the recorder publishes in the place of the service, whose origin it is: a key of this test too, to sign what no service would. */
async function publishedKeys(path: string): Promise<string> {
  const { keys } = (await (await fetch(`${service.url}${path}`)).json()) as { keys: unknown[] }
  const own = path.endsWith('/miniseal-keys.json') ? [jwkOf(published, 'message')] : []
  return JSON.stringify({ keys: [...keys, ...own] })
}

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

  it.each<[string, number, GatewayParts]>([
    ['a published key', 200, {}],
    ['a key that is not published', 401, { key: newDevice() }],
    [
      'a key that is not published, under the name of one that is',
      401,
      { key: { ...newDevice(), signer: { ...newDevice().signer, keyid: published.signer.keyid } } },
    ],
    ['another tag', 401, { tag: 'miniseal' }],
    ['a time in the future', 401, { age: -60 }],
    ['a time long ago', 401, { age: 75 }],
  ])('to what is signed for the gateway with %s it answers %i', async (_title, status, parts) => {
    expect(await send(guide, signedAnew(await record(), parts))).toMatchObject({ status })
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

interface GatewayParts {
  readonly key?: ReturnType<typeof newDevice>
  readonly tag?: string
  /** Seconds. */
  readonly age?: number
}

/** The same request with another signature of the gateway's, good but for what `parts` say. */
function signedAnew(
  request: Arrived,
  { key = published, tag = 'miniseal-gateway', age = 0 }: GatewayParts,
): Arrived {
  const fields = Object.entries(request.headers).map(([name, value]): Field => [name, String(value)])
  const device = onlyMember(request, 'sig').headers
  const input = parseDictionary(String(request.headers['signature-input'])).get('gateway')
  if (input?.kind !== 'inner-list') throw new Error('the gateway has not signed')
  const params = new Map<string, BareItem>(input.params)
  params.set('created', { kind: 'integer', value: service.now() - age })
  params.set('keyid', { kind: 'string', value: key.signer.keyid })
  params.set('tag', { kind: 'string', value: tag })
  const own = { ...input, params }
  const authority = new URL(service.origin).host
  const message = {
    method: request.method,
    scheme: 'https',
    authority,
    path: request.url,
    fields,
    content: encodeUtf8(request.body),
  }
  const base = encodeAscii(signatureBase(own, { request: message }))
  const signature = Buffer.from(primitives.ed25519Sign(base, key.signer.secretKey)).toString('base64')
  return withFields(request, {
    'signature-input': `${device['signature-input']}, gateway=${serializeInnerList(own)}`,
    signature: `${device.signature}, gateway=:${signature}:`,
  })
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
