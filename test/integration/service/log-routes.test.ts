/** The log that a service serves: checked by others' tools over HTTP, and by hand. */
import { createPublicKey, verify } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Store } from '../../../service/store/store.ts'
import { type GrownLog, startGrownLog } from '../../support/grown-log.ts'
import { leafHash, plainRoot, plainTiles } from '../../support/plain-tree.ts'
import type { TestService } from '../../support/service.ts'

let grown: GrownLog
let service: TestService
let store: Store
let token: string

beforeAll(async () => {
  grown = await startGrownLog()
  ;({ service, store, token } = grown)
})

afterAll(() => grown.close())

const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${service.url}${path}`, { headers })

const bytesOf = async (response: Response): Promise<Uint8Array> =>
  new Uint8Array(await response.arrayBuffer())

it('the log starts with a signed checkpoint of one leaf under the origin of the channel configuration', async () => {
  const response = await get('/log/checkpoint')
  expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
  expect(response.headers.get('cache-control')).toBe('public, max-age=1')
  const [text = '', signatures = ''] = (await response.text()).split('\n\n')
  const [origin, size] = text.split('\n')
  const host = service.origin.replace('http://', '')
  expect(origin).toBe(`${host}/audit/${new Date().getUTCFullYear()}`)
  expect(size).toBe('1')
  const vkey = await grown.verifierKey()
  expect(vkey.split('+')[0]).toBe(origin)
  // The plain signature over the plain text: what `openssl pkeyutl -verify -rawin` checks.
  const raw = Buffer.from(signatures.trim().split(' ')[2] ?? '', 'base64').subarray(4)
  const x = Buffer.from(vkey.split('+').slice(2).join('+'), 'base64').subarray(1).toString('base64url')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  expect(verify(null, Buffer.from(`${text}\n`), key, raw)).toBe(true)
  expect(await grown.health()).toMatchObject({
    status: 'open',
    origin,
    size: 1,
    checkpoint_size: 1,
    pending: 0,
  })
})

it('the service serves full and partial tiles and entries, up to the signed size only', async () => {
  await grown.growTo(Math.max(600, (await store.findLogState())?.size ?? 0))
  const { size = 0 } = (await store.findLatestCheckpoint(0)) ?? {}
  const all = (await store.listLeaves(0, size, size)).map(({ leaf }) => leaf)
  const hashes = all.map(leafHash)
  expect((await store.findLogState())?.root).toEqual(plainRoot(hashes))
  const tiles = plainTiles(hashes)
  const tile = async (path: string): Promise<Response> => await get(`/log/tile/${path}`)
  for (const [path, name, width] of [
    ['0/000', '0/0', 256],
    ['0/000.p/7', '0/0', 7],
    ['0/001', '0/1', 256],
    ['1/000.p/2', '1/0', 2],
  ] as const) {
    const response = await tile(path)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/octet-stream')
    expect(response.headers.get('cache-control')).toContain('immutable')
    expect(await bytesOf(response)).toEqual(tiles.get(name)?.slice(0, width * 32))
  }
  const last = Math.floor(size / 256)
  const path = (index: number): string => {
    const digits = String(index).padStart(Math.ceil(String(index).length / 3) * 3, '0')
    return (digits.match(/.{3}/g) ?? [])
      .map((group, i, groups) => (i < groups.length - 1 ? `x${group}` : group))
      .join('/')
  }
  expect((await tile(`0/${path(last)}.p/${size % 256}`)).status).toBe(200)
  for (const beyond of [
    `0/${path(last)}.p/${(size % 256) + 1}`,
    `0/${path(last)}`,
    `0/${path(last + 1)}.p/1`,
    '5/000.p/1',
    '63/000',
  ]) {
    expect((await tile(beyond)).status).toBe(404)
  }
  // What has its place and no checkpoint yet: looked at until the look came before the signing.
  for (let looked = false; !looked; ) {
    await grown.growUnsigned()
    const tree = (await store.findLogState())?.size ?? 0
    const position = tree - 1
    const response = await tile(`0/${path(Math.floor(position / 256))}.p/${(position % 256) + 1}`)
    looked = ((await store.findLatestCheckpoint(0))?.size ?? 0) < tree
    if (looked) expect(response.status).toBe(404)
  }
})

it('the service serves entries only to auditors', async () => {
  const path = '/log/tile/entries/000.p/1'
  for (const headers of [
    {},
    { authorization: 'Bearer wrong' },
    { authorization: `Basic ${token}` },
  ] as const) {
    const response = await get(path, headers as Record<string, string>)
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="audit"')
  }
  const response = await get(path, { authorization: `Bearer ${token}` })
  expect(response.status).toBe(200)
  expect(response.headers.get('cache-control')).toBe('private, no-store')
  const bundle = Buffer.from(await bytesOf(response))
  const length = bundle.readUInt16BE(0)
  expect(bundle).toHaveLength(2 + length)
  expect(JSON.parse(bundle.subarray(2).toString()).k).toBe('log-started')
  expect((await get('/log/tile/entries/999', { authorization: `Bearer ${token}` })).status).toBe(404)
})

it('the log routes return 404 for every other path', async () => {
  const paths = [
    '0/x000/000.p/1',
    '0/00.p/1',
    '0/0000.p/1',
    '64/000',
    '00/000.p/1',
    '0/000.p/0',
    '0/000.p/01',
    'x/000.p/1',
  ]
  for (const path of paths) expect((await get(`/log/tile/${path}`)).status).toBe(404)
  for (const path of [
    '/log',
    '/log/',
    '/log/tile',
    '/log/1/checkpoint',
    '/log/00/checkpoint',
    '/log/tile/0/000.p/1/',
  ]) {
    expect((await get(path)).status).toBe(404)
  }
  expect((await get('/log/0/tile/0/000.p/1')).status).toBe(200)
})

it('metrics show the size of the log, the age of its checkpoint and the pending entries', async () => {
  const text = await (await get('/metrics')).text()
  const sampleOf = (name: string): number =>
    Number(new RegExp(`^miniseal_tlog_${name} (.*)$`, 'm').exec(text)?.[1])
  expect(sampleOf('tree_size')).toBeGreaterThanOrEqual(600)
  expect(sampleOf('checkpoint_size')).toBeGreaterThanOrEqual(600)
  expect(sampleOf('checkpoint_age_seconds')).toBeLessThan(600)
  expect(sampleOf('pending_entries')).toBeGreaterThanOrEqual(0)
  expect(sampleOf('accepting_entries')).toBe(1)
  expect(sampleOf('batch_entries_sum')).toBeGreaterThanOrEqual(599)
  expect(sampleOf('checkpoints_signed_total')).toBeGreaterThanOrEqual(1)
})
