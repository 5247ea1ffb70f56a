/** `miniseal audit verify --url`: checks a log over HTTP, without access to its database. */

import { writeFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { join } from 'node:path'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { encodeVerifierKey } from '../../../crypto/tlog/signed-note.ts'
import { accountKeyOf, addAuditor, createAuditorVerifier } from '../../../service/admin/api/accounts.ts'
import { verify } from '../../../service/cli/commands/audit/verify.ts'
import { sodiumPrimitives } from '../../../service/keys/sodium-primitives.ts'
import { logRoutes } from '../../../service/tlog/log-routes.ts'
import { createLogReader } from '../../../service/tlog/reader.ts'
import { runCommand } from '../../support/command.ts'
import type { WrittenLog } from '../../support/written-log.ts'
import { logOrigin, logStart, requests, startLog } from '../../support/written-log.ts'
import { createSqlite } from '../store/engines.ts'

let log: WrittenLog
let server: Server
let url: string
let token: string
let old: string
/** Changes a response, as an attacker on the network or the service could. */
let spoil: ((path: string, bytes: Uint8Array) => Uint8Array) | undefined

beforeAll(async () => {
  log = await startLog(createSqlite)
  await log.append(requests(100))
  old = await log.sign()
  await log.append(requests(500, 100))
  await log.sign()
  const now = (): number => logStart + 10
  const key = accountKeyOf(log.keyring.current('lookup', logStart).secretKey)
  token = (await addAuditor(log.store, key, { name: 'wei', role: 'reader', now: logStart, days: 1 })) ?? ''
  const routes = logRoutes({
    store: log.store,
    reader: createLogReader(log.store),
    verifyAuditor: createAuditorVerifier(log.store, key, now),
    logEntryAccess: async () => {},
  })
  const app = new Hono()
  app.all('*', async (c) => {
    const answer = await routes.fetch(c.req.raw)
    const bytes = new Uint8Array(await answer.arrayBuffer())
    const body = spoil === undefined || !answer.ok ? bytes : spoil(c.req.path, bytes)
    return new Response(new Uint8Array(body), answer)
  })
  await new Promise<void>((resolve) => {
    server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => {
      url = `http://127.0.0.1:${port}/log`
      resolve()
    }) as Server
  })
})

beforeEach(() => {
  spoil = undefined
})

afterAll(async () => {
  server.close()
  await log.close()
})

const check = (...args: readonly string[]) => runCommand(verify, ['--url', url, ...args], {})
const pinned = (...args: readonly string[]) => check('--vkey', log.vkey, ...args)

it('verify --url checks every entry with a token, and the tree without one', async () => {
  const whole = await pinned('--token', token)
  expect(whole).toMatchObject({ code: 0, out: expect.stringContaining('checked: 601 entries') })
  const tree = await pinned()
  expect(tree).toMatchObject({
    code: 0,
    out: expect.stringContaining('entries not checked: no --token'),
  })
})

it('verify --url requires the key of this log from a trusted source', async () => {
  await expect(check('--token', token)).rejects.toThrow(/--url requires --vkey/)
  const { publicKey } = sodiumPrimitives.ed25519KeyPair(new Uint8Array(32).fill(9))
  const other = encodeVerifierKey(sodiumPrimitives, { kind: 'ed25519', name: logOrigin, publicKey })
  await expect(check('--vkey', other)).rejects.toThrow(/is not signed by a known key/)
})

it('verify --url finds a changed byte in a bundle or a tile, and a log behind the given checkpoint', async () => {
  const flipAt = (part: string, at: number) => (path: string, bytes: Uint8Array) =>
    path.includes(part) ? bytes.map((byte, i) => (i === at ? byte ^ 1 : byte)) : bytes
  spoil = flipAt('/tile/entries/001', 100)
  expect(await pinned('--token', token)).toMatchObject({
    code: 1,
    out: expect.stringContaining('log, entry 256'),
  })
  spoil = flipAt('/tile/0/001', 32 * 7)
  const tile = await pinned('--token', token)
  expect(tile).toMatchObject({ code: 1, out: expect.stringContaining('log, entry 263') })
  expect((await pinned()).code).toBe(1)
  spoil = undefined
  const file = join(log.folder, 'kept')
  writeFileSync(file, old)
  expect((await pinned('--checkpoint', file)).code).toBe(0)
  // The service shows this auditor an older signed tree; the checkpoint in the file is larger.
  writeFileSync(file, (await log.store.findLatestCheckpoint(0))?.note ?? '')
  spoil = (path, bytes) => (path.endsWith('/checkpoint') ? new Uint8Array(Buffer.from(old)) : bytes)
  expect(await pinned('--checkpoint', file)).toMatchObject({
    code: 1,
    out: expect.stringContaining('rolled-back'),
  })
})

it('verify --url fails when the log cannot be read', async () => {
  await expect(pinned('--token', 'msa_wrong')).rejects.toThrow(/401: the token is not accepted/)
  await expect(
    runCommand(verify, ['--url', 'http://127.0.0.1:1/log', '--vkey', log.vkey], {}),
  ).rejects.toThrow(/cannot be read/)
})
