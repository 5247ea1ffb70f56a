/** The programs of the integration guides behind the gateway: what they accept and refuse. */
import type { Server } from 'node:http'
import { createServer, request as sendRequest } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { buffer, text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RequestMessage } from '../../../crypto/frames/binary-http.ts'
import { gatewayCases, gatewayKeySets } from '../../conformance/vectors/make/gateway-cases.ts'
import { signerFrom } from '../../conformance/vectors/make/gateway-requests.ts'
import type { RawSession } from '../../support/raw-client.ts'
import { logIn, random } from '../../support/raw-client.ts'
import type { OwnService } from '../../support/service.ts'
import { startTestService } from '../../support/service.ts'
import { freePort } from '../../support/service-process.ts'
import type { TestUpstream } from '../../support/upstream.ts'
import { startUpstream } from '../../support/upstream.ts'
import type { Guide, RunningProgram } from './guide-programs.ts'
import { guides, importLibraryProgram, programOf, startProgram } from './guide-programs.ts'

const programs = new Map<Guide, RunningProgram>()
const signers = {
  device: signerFrom(random(32)),
  message: signerFrom(random(32)),
  token: signerFrom(random(32)),
  unmarked: signerFrom(random(32)),
  stranger: signerFrom(random(32)),
}
let recorder: TestUpstream
let service: OwnService
let session: RawSession

beforeAll(async () => {
  recorder = await startUpstream((request, response) => {
    if (request.url?.startsWith('/.well-known/') !== true) response.end('{}')
    else publishedKeys(request.url).then((set) => response.end(set))
  })
  const ports = new Map<Guide, number>()
  for (const guide of guides) ports.set(guide, await freePort())
  const upstreams = guides.map((guide) => `/${guide}=http://127.0.0.1:${ports.get(guide)}`).join(',')
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

/** The key sets of the service, plus keys of this test for requests that a service would not sign. */
async function publishedKeys(path: string): Promise<string> {
  const { keys } = (await (await fetch(`${service.url}${path}`)).json()) as { keys: unknown[] }
  const own = gatewayKeySets({ keys: signers })
  const isMessage = path.endsWith('/miniseal-keys.json')
  return JSON.stringify({ keys: [...keys, ...(isMessage ? own.message_keys : own.token_keys).keys] })
}

/** Sends exactly these fields, also repeated ones, and this `Host`, which `fetch` cannot do. */
async function statusOf(url: string, message: RequestMessage): Promise<number> {
  const { method, path, authority, fields, content } = message
  const { hostname, port } = new URL(url)
  const length = content.length === 0 && method === 'GET' ? [] : [['content-length', `${content.length}`]]
  const headers = [['host', authority], ...length, ...fields].flat()
  return await new Promise((resolve, reject) => {
    const request = sendRequest({ hostname, port, method, path, headers }, (response) => {
      text(response).then(() => resolve(response.statusCode ?? 0), reject)
    })
    request.on('error', reject)
    request.end(content)
  })
}

/** The titles of the vectors that a program decides wrongly. */
async function misjudged(url: string): Promise<readonly string[]> {
  const sandboxState = { origin: service.origin, now: service.now(), keys: signers, nonce: () => random(16) }
  const wrong: string[] = []
  for (const { title, code, request } of gatewayCases(sandboxState)) {
    const status = await statusOf(url, request)
    const isRight = code === undefined ? status === 200 : [400, 401, 404].includes(status)
    if (!isRight) wrong.push(`${title}: ${status}`)
  }
  return wrong
}

describe.each(guides)('the program of the guide for %s', (guide) => {
  it('the program of the guide returns the caller of a request through the gateway', async () => {
    const path = `/${guide}/7?who='me'&n=%20`
    expect(await session.send({ path })).toMatchObject({ status: 200, json: { user: session.user, path } })
    const posted = await session.send({ method: 'POST', path: `/${guide}`, body: { n: '午' }, key: guide })
    expect(posted).toMatchObject({ status: 200, json: { user: session.user } })
  })

  it('the program of the guide answers requests with the longest path and query', async () => {
    // A failure would open the circuit breaker for all users.
    for (const path of [
      `/${guide}/`.padEnd(4096, 'a'),
      `/${guide}?`.padEnd(4096, 'b'),
      `/${guide}`.padEnd(4000, '/a'),
    ])
      expect(await session.send({ path })).toMatchObject({ status: 200, json: { path } })
  })

  it('the program of the guide does not read a chunked body as the next request', async () => {
    const { hostname, port } = new URL(programs.get(guide)?.url ?? '')
    const inner = 'GET /inner HTTP/1.1\r\nhost: a\r\n\r\n'
    const chunks = `${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`
    const socket = connect(Number(port), hostname)
    socket.write(`POST /outer HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n${chunks}`)
    let reply = ''
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      reply += String(bytes)
    })
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    socket.destroy()
    expect(reply.match(/HTTP\/1\.[01] [0-9]{3}/g)).toEqual(['HTTP/1.1 401'])
  })

  it('the program of the guide accepts a signature input with extra spaces and zeros', async () => {
    const changed: [RegExp, string][] = [
      [/" "/g, '"  "'],
      [/\(/g, '( '],
      [/;created=/, '; created=00'],
      [/$/, '\t, other=();created=1'],
    ]
    for (const [pattern, text] of changed) {
      const after = (message: RequestMessage): RequestMessage => ({
        ...message,
        fields: message.fields.map(([name, value]) => [
          name,
          name === 'signature-input' ? value.replace(pattern, text) : value,
        ]),
      })
      expect(await session.send({ path: `/${guide}/1`, after })).toMatchObject({ status: 200 })
    }
  })

  it('the program of the guide accepts the valid requests of gateway.json and refuses the others', async () => {
    expect(await misjudged(programs.get(guide)?.url ?? '')).toEqual([])
  })

  it('the program of the guide verifies in less than sixty lines', () => {
    const [, inside = ''] =
      /---- verifier ----\n([\s\S]*?)[^\n]*---- end of the verifier ----/.exec(programOf(guide)) ?? []
    const lines = inside.split('\n').filter((line) => /\S/.test(line) && !/^\s*(\/\/|\/\*\*|""")/.test(line))
    expect(lines.length).toBeGreaterThan(1)
    expect(lines.length).toBeLessThan(60)
  })
})

describe('the program with third-party libraries', () => {
  let server: Server

  beforeAll(async () => {
    const verify = await importLibraryProgram(service.origin)
    server = createServer(async (request, response) => {
      const body = await buffer(request)
      const status = await verify(request, body).then(
        () => 200,
        () => 401,
      )
      response.writeHead(status).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })

  afterAll(() => void server.close())

  it('the program with third-party libraries accepts the valid requests of gateway.json and refuses the others', async () => {
    expect(await misjudged(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)).toEqual([])
  })
})
