/** The log's key is replaced while every client can still verify each checkpoint. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type LogKeys, verifyConfiguration } from '../../../crypto/frames/channel-configuration.ts'
import { configurationLifetime, type Keyring, openKeyring } from '../../../service/keys/keyring.ts'
import { announcedLogKey, channelConfiguration, noteVerifierKey } from '../../../service/keys/publication.ts'
import { revokeKey, rotateKey, rotateWhenDue } from '../../../service/keys/rotation.ts'
import { sodiumPrimitives } from '../../../service/keys/sodium-primitives.ts'
import { createSecretWrapper } from '../../../service/keys/wrapping.ts'
import { openStore } from '../../../service/store/open-store.ts'
import type { Store } from '../../../service/store/store.ts'
import { runKeys } from '../../support/command.ts'

const now = 1_764_000_000
const hour = 3_600
const day = 24 * hour
const wrapper = createSecretWrapper([new Uint8Array(randomBytes(32))])

let folder: string
let store: Store
let ring: Keyring

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'miniseal-log-key-'))
  store = await openStore({ kind: 'sqlite', path: ':memory:' })
  ring = await openKeyring(store, wrapper, now)
})

afterEach(async () => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

async function rotate(at: number): Promise<string> {
  const { kid, notBefore } = await rotateKey(store, wrapper, 'log', at)
  expect(notBefore).toBe(at)
  await ring.reload()
  return kid
}

const origin = 'pay.example.com/audit/2026'

/** The keys whose signatures a checkpoint of this time carries. */
function signers(at: number): readonly string[] {
  return ring
    .published('log', at)
    .filter(({ notBefore }) => notBefore <= at)
    .map(({ kid }) => kid)
}

/** The log of a configuration as a client reads it. */
function published(at: number, ended: readonly string[]): LogKeys {
  const settings = { origin: 'https://pay.example.com', window: { past: 120, future: 10 }, maxFrame: 1 << 20 }
  const roots = ring.published('root', at).map(({ publicKey }) => publicKey)
  return verifyConfiguration(
    sodiumPrimitives,
    channelConfiguration(ring, settings, { origin, ended }, at),
    roots,
    at,
  ).log
}

/** The verifier key of a configuration. */
function announced(at: number): string {
  return published(at, []).vkey
}

function verifierKey(kid: string): string {
  const key = ring.published('log', now).find((candidate) => candidate.kid === kid)
  if (key === undefined) throw new Error('no such key')
  return noteVerifierKey(origin, key.publicKey)
}

it('both log keys sign for two days, and the new one is announced after the first day', async () => {
  const [old = ''] = signers(now)
  const next = await rotate(now + hour)
  const at = now + hour
  expect(signers(at - 1)).toEqual([old])
  expect(signers(at)).toEqual([next, old])
  expect([announced(at), announced(at + day - 1)]).toEqual([verifierKey(old), verifierKey(old)])
  expect([announced(at + day), announced(at + 9 * day)]).toEqual([verifierKey(next), verifierKey(next)])
  expect(signers(at + 2 * day - 1)).toEqual([next, old])
  expect(signers(at + 2 * day)).toEqual([next])
})

it('every checkpoint has the signature that a client’s configuration names, however often the log key is rotated', async () => {
  for (const at of [10, 11, 40, 100, 150]) await rotate(now + at * hour)
  for (let made = 0; made <= 230; made++) {
    const { kid } = announcedLogKey(ring, now + made * hour)
    // Checkpoints of the day before, which it may be shown, and of the day for which it is kept.
    const first = made < 24 ? 0 : made - 23
    for (let at = first; at < made + configurationLifetime / hour; at++) {
      expect(signers(now + at * hour), `configuration of hour ${made}, checkpoint of hour ${at}`).toContain(
        kid,
      )
    }
  }
})

it('the log key is not rotated on schedule', async () => {
  const [old] = signers(now)
  await rotateWhenDue(store, wrapper, ring, now + 400 * day)
  expect(signers(now + 400 * day)).toEqual([old])
})

it('a leaked log key is revoked at once after a rotation, and the next one is announced at once', async () => {
  const [old = ''] = signers(now)
  await expect(revokeKey(store, ring, 'log', old, now)).rejects.toThrow(/it is the only log key/)
  const next = await rotate(now + 10)
  expect(await revokeKey(store, ring, 'log', old, now + 20)).toBe(next)
  await ring.reload()
  expect(signers(now + 20)).toEqual([next])
  expect(announced(now + 20)).toBe(verifierKey(next))
})

it('each ended log is listed with every log key in use', async () => {
  const before = ['pay.example.com/audit/2025-2', 'pay.example.com/audit/2025']
  const under = (kid: string): readonly string[] => {
    const key = ring.known('log').find((candidate) => candidate.kid === kid)
    return before.map((name) => noteVerifierKey(name, key?.publicKey ?? new Uint8Array(0)))
  }
  const [old = ''] = signers(now)
  expect(published(now, [])).toEqual({ origin, vkey: verifierKey(old) })
  expect(published(now, before).ended).toEqual(under(old))
  const next = await rotate(now + hour)
  // The newest log first, with both keys: either may have signed it last.
  const [[oldOfLast, oldOfFirst], [nextOfLast, nextOfFirst]] = [under(old), under(next)]
  expect(published(now + hour, before).ended).toEqual([nextOfLast, oldOfLast, nextOfFirst, oldOfFirst])
  expect(published(now + hour + 2 * day, before).ended).toEqual(under(next))
})

it('a revoked log key is listed for no ended log', async () => {
  const before = ['pay.example.com/audit/2025']
  const [old = ''] = signers(now)
  const next = await rotate(now + 10)
  expect(published(now + 10, before).ended).toHaveLength(2)
  await revokeKey(store, ring, 'log', old, now + 20)
  await ring.reload()
  const left = ring.known('log').find(({ kid }) => kid === next)?.publicKey ?? new Uint8Array(0)
  expect(published(now + 20, before).ended).toEqual([noteVerifierKey(before[0] ?? '', left)])
})

it('at most the 16 newest ended logs are listed', () => {
  const before = Array.from({ length: 20 }, (_, i) => `pay.example.com/audit/2025-${20 - i}`)
  const { ended = [] } = published(now, before)
  expect(ended.map((vkey) => vkey.split('+')[0])).toEqual(before.slice(0, 16))
})

it('the commands rotate, export and revoke the log key', async () => {
  const environment = {
    MINISEAL_ORIGIN: 'http://127.0.0.1:1',
    MINISEAL_DATA: folder,
    MINISEAL_DATABASE: `sqlite:${join(folder, 'miniseal.db')}`,
  }
  const run = (...args: string[]) => runKeys(args, environment)
  const exported = async () => JSON.parse((await run('export', '--json')).out)
  const before = await exported()
  expect(before.log_keys).toHaveLength(1)
  const { out } = await run('rotate', 'log')
  expect(out).toMatch(/^new log key \S{43}, used immediately\nBoth keys sign checkpoints\./)
  const [next = ''] = /\S{43}/.exec(out) ?? []
  const after = await exported()
  // The old one is what clients are told, for a day.
  expect(after.log).toEqual(before.log)
  expect(after.log_keys.map(({ kid }: { kid: string }) => kid)).toEqual([next, before.log_keys[0].kid])
  expect(after.log_keys[1].vkey).toBe(before.log.vkey)
  expect(after.log_keys[1].exp - after.log_keys[0].nbf).toBe(2 * day)
  const text = (await run('export')).out
  for (const { vkey } of after.log_keys) expect(text).toContain(`log        ${vkey}\n`)
  const old = before.log_keys[0].kid
  expect((await run('list')).out).toContain(`log        ${old}  also signs until `)
  expect((await run('revoke', 'log', old, '--now')).out).toBe(`revoked log key ${old}; ${next} is active\n`)
  expect((await exported()).log_keys.map(({ kid }: { kid: string }) => kid)).toEqual([next])
})
