/** A short run of the whole benchmark, and the protections that its peers claim. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PeerClient, SchemeClient, Target } from './clients/client.ts'
import { createClient } from './clients/schemes.ts'
import { type PeerScheme, peerSchemes } from './contenders.ts'
import { Connection, requestBytes } from './load/connection.ts'
import { sectionNames } from './options.ts'
import { compilePrograms, Program } from './program.ts'
import type { PeerCalls } from './programs/peer.ts'
import type { Results } from './results.ts'

/** A run of all sections. */
type Complete = { readonly [Name in keyof Results]-?: NonNullable<Results[Name]> }

const root = new URL('..', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'miniseal-bench-test-'))

afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function bench(
  args: readonly string[],
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const child = spawn(process.execPath, ['--conditions=source', '--import', 'tsx', 'bench/run.ts', ...args], {
    cwd: root,
    // SQLite alone: two databases with two processes each would take most of the time.
    env: { PATH: process.env.PATH ?? '', BENCH_FOLDER: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk) => {
    out += String(chunk)
  })
  child.stderr.on('data', (chunk) => {
    err += String(chunk)
  })
  const [code] = (await once(child, 'close')) as [number]
  return { code, out, err }
}

it('npm run bench measures every section, writes its results, and reports for each target whether it is reached', async () => {
  const json = join(folder, 'figures.json')
  const brief = ['--seconds', '0.1', '--rounds', '1', '--connections', '1,4']
  const few = ['--sizes', '300,600', '--sockets', '4', '--sessions', '4']
  const { code, out, err } = await bench(['--quick', ...brief, ...few, '--json', json])
  expect(err).not.toContain('Error')
  expect(code).toBe(0)
  const results = JSON.parse(readFileSync(json, 'utf8')) as Complete
  expect(Object.keys(results)).toEqual(
    expect.arrayContaining(['floor', 'ours', 'compared', 'growth', 'wire']),
  )
  const rates = [
    ...results.floor.cryptography,
    ...results.floor.http,
    ...results.floor.commits,
    ...results.compared.rows,
    ...results.ours.rows,
    ...results.growth.rows,
  ].map(({ perSecond }) => perSecond)
  expect(rates.length).toBeGreaterThan(20)
  expect(rates.every((rate) => rate > 0)).toBe(true)
  expect(results.compared.rows.map(({ name }) => name)).toEqual(['floor', 'miniseal', ...peerSchemes])
  expect(
    results.wire.every(({ request, response, content }) => request > content && response > content),
  ).toBe(true)
  // The floor works on as many bytes as a real frame has, less its head and tag.
  const { opened } = results.compared.floorSizes
  const frame = new Uint8Array(Number(opened) + 58)
  const asSent = requestBytes('POST', '/seal', { 'content-type': 'application/vnd.miniseal' }, frame)
  expect(results.wire[0]).toMatchObject({ name: 'miniseal', content: 200, request: asSent.length })
  expect(results.growth.diskBytes).toBeGreaterThan(1_000)
  expect(results.growth.memory.sockets).toBe(4)
  expect(results.halfLoad.spread).toBeGreaterThanOrEqual(1)
  const verdicts = out.split('\n').filter((line) => / (not )?reached /.test(line))
  expect(verdicts).toHaveLength(7)
  expect(out).toContain('Warning: TEST_POSTGRES_URL is not set')
}, 600_000)

it('npm run bench lists its sections with --help', async () => {
  const { code, out } = await bench(['--help'])
  expect(code).toBe(0)
  for (const name of sectionNames) expect(out).toContain(name)
})

it('npm run bench names an invalid option value', async () => {
  const { code, err } = await bench(['--only', 'ours,theirs'])
  expect(code).toBe(2)
  expect(err).toContain('there is no section "theirs"')
})

describe.each(peerSchemes)('%s', (scheme: PeerScheme) => {
  let program: Program<PeerCalls>
  let target: Target
  let client: SchemeClient
  let connection: Connection

  beforeAll(async () => {
    await compilePrograms()
    const environment = { BENCH_PEER: scheme, BENCH_DATABASE: join(folder, `${scheme}.db`) }
    program = await Program.start<PeerCalls>('peer', { output: join(folder, `${scheme}.log`), environment })
    const { port, secrets } = await program.call('where')
    target = { ports: [port], secrets }
    client = createClient(scheme, target)
    connection = await Connection.open(port)
  })

  afterAll(async () => {
    connection?.close()
    await program?.stop()
  })

  const prepare = async (content = 200) => {
    const [request] = await client.prepare('post', 1, content)
    if (request === undefined) throw new Error('no request was prepared')
    return request
  }

  it('the peer accepts valid requests, and its client verifies the response', async () => {
    const request = await prepare()
    const response = await connection.send(request.bytes)
    expect(response.status).toBe(200)
    await request.check(response)
  })

  it('the peer refuses a nonce for the second time', async () => {
    const request = await prepare()
    expect((await connection.send(request.bytes)).status).toBe(200)
    const again = await connection.send(request.bytes)
    expect([again.status, String(again.body)]).toEqual([409, '{"code":"replayed"}'])
  })

  if (scheme === 'plain') return

  it('the peer refuses a body with one byte changed', async () => {
    const { bytes } = await prepare()
    const changed = Buffer.from(bytes)
    flip(changed, changed.length - 40)
    expect((await connection.send(changed)).status).toBeOneOf([400, 401])
  })

  it('the peer refuses a signature with one byte changed', async () => {
    const { bytes } = await prepare()
    const changed = Buffer.from(bytes)
    const names = { 'http-signatures': 'Signature: ', 'wechat-pay': 'signature="' } as const
    const name = scheme in names ? names[scheme as keyof typeof names] : 'dpop: '
    // In the middle of the signature itself, which a proof has at its end.
    const at = changed.indexOf(name) + name.length
    flip(changed, name === 'dpop: ' ? changed.indexOf('\r\n', at) - 20 : at + 20)
    expect((await connection.send(changed)).status).toBe(401)
  })

  it('the peer refuses an expired request', async () => {
    const { bytes } = await (client as PeerClient).expired()
    expect((await connection.send(bytes)).status).toBe(401)
  })

  it('the client of the peer refuses a response with one byte changed', async () => {
    const request = await prepare()
    const response = await connection.send(request.bytes)
    const body = Buffer.from(response.body)
    flip(body, body.length - 60)
    await expect(request.check({ ...response, body })).rejects.toThrow()
  })
})

/** Replaces a letter, so that the text remains well-formed. */
function flip(bytes: Buffer, at: number): void {
  bytes[at] = bytes[at] === 65 ? 66 : 65
}
