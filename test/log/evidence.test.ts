/** Evidence for one entry: what it shows, what it does not, and who can check it. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { encodeVerifierKey } from '../../crypto/signed-note.ts'
import { decodeUtf8, encodeBase64, encodeBase64Url, encodeUtf8 } from '../../crypto/text.ts'
import { keyThumbprint } from '../../crypto/thumbprint.ts'
import { checkEvidenceCommand } from '../../service/cli/audit-check-evidence.ts'
import { evidence } from '../../service/cli/audit-evidence.ts'
import { sodiumPrimitives } from '../../service/keys/sodium-primitives.ts'
import { readBundle, writeBundle } from '../../service/log/evidence/bundle.ts'
import { leafIdText } from '../../service/log/leaf-id.ts'
import type { StagedLeaf } from '../../service/store/log-records.ts'
import { createSqlite } from '../store/engines.ts'
import { runCommand } from '../support/command.ts'
import type { MadeEntry, WrittenLog } from '../support/written-log.ts'
import { logOrigin, requests, startLog } from '../support/written-log.ts'

const device = sodiumPrimitives.ed25519KeyPair(new Uint8Array(32).fill(7))
const keyid = keyThumbprint(sodiumPrimitives, device.publicKey)
const body = '{"payee":"bob","amount":1250}'
const user = 'u_alice'
const canary = 'canary-of-somebody-else'

const digestOf = (text: string): string => `sha-256=:${createHash('sha256').update(text).digest('base64')}:`

let log: WrittenLog
let folder: string
let request: StagedLeaf
let other: StagedLeaf

/** A transfer as the journal logs it, signed by the device. */
function transfer(): MadeEntry {
  const base = `"@method": POST\n"content-digest": ${digestOf(body)}\n"@signature-params": ("@method");keyid="${keyid}"`
  const signature = encodeBase64(sodiumPrimitives.ed25519Sign(encodeUtf8(base), device.secretKey))
  const publicKey = encodeBase64Url(device.publicKey)
  return {
    user,
    path: '/wallet/transfers',
    groups: {
      sub: { device: keyid, user },
      sig: { base, created: '1', keyid, public_key: publicKey, signature },
      pay: { request_digest: digestOf(body), request_size: String(body.length) },
    },
  }
}

beforeAll(async () => {
  log = await startLog(createSqlite)
  folder = mkdtempSync(join(tmpdir(), 'miniseal-evidence-'))
  const strangers: readonly MadeEntry[] = [
    { user: `u_${canary}`, path: `/wallet/${canary}`, groups: { net: { ip: canary, user_agent: canary } } },
  ]
  await log.append([...requests(20), ...strangers])
  await log.append([{ kind: 'device-added', user, groups: { sub: { device: keyid, user } } }])
  await log.append([...strangers, ...requests(300, 20)])
  const made = await log.append([transfer(), ...strangers])
  if (made[0] === undefined || made[1] === undefined) throw new Error('no entry')
  ;[request, other] = made as [StagedLeaf, StagedLeaf]
  await log.append(requests(7, 400))
  await log.sign()
})

afterAll(async () => {
  await log.close()
  rmSync(folder, { recursive: true })
})

const path = (name: string): string => join(folder, name)

async function make(name: string, ...args: readonly string[]): Promise<string> {
  const out = path(name)
  const said = await runCommand(evidence, [leafIdText(request.id), '--out', out, ...args], log.environment)
  expect(said.code).toBe(0)
  return out
}

const check = (file: string, ...args: readonly string[]) =>
  runCommand(checkEvidenceCommand, [file, ...args], {})

/** The same bundle with other files, and a manifest that fits them. */
function forge(from: string, name: string, changes: (files: Map<string, Uint8Array>) => void): string {
  const { manifest, files } = readBundle(new Uint8Array(readFileSync(from)))
  const changed = new Map(files)
  changes(changed)
  const { id, origin, groups } = manifest
  writeFileSync(path(name), writeBundle(changed, { id, origin, groups }))
  return path(name)
}

const all = ['--groups', 'core,sig,pay,sub']

it('holds, step by step, in English and in Chinese', async () => {
  writeFileSync(path('body.json'), body)
  const file = await make('whole.zip', ...all, '--body', path('body.json'))
  const said = await check(file, '--vkey', log.vkey)
  expect(said.code).toBe(0)
  expect(said.out).toContain(
    'ok     The log has signed the checkpoint: pay.example.com/audit/2025, 333 entries',
  )
  expect(said.out).toContain(`ok     The device has signed the request: device ${keyid}`)
  expect(said.out).toContain('ok     The device’s key came to this user: device-added')
  expect(said.out).toContain(`ok     The body is the one that was signed: ${body.length} bytes`)
  expect(said.out).toContain('The evidence holds.')
  const chinese = await runCommand(checkEvidenceCommand, [file, '--vkey', log.vkey], { LANG: 'zh_CN.UTF-8' })
  expect(chinese.out).toContain('通过   检查点由日志签名')
  expect(chinese.out).toContain('证据成立。')
})

it('holds no byte of anybody else, and of the entry only what was chosen', async () => {
  for (const args of [[], all, ['--groups', ''], ['--groups', 'core,net,pay,sig,sub']]) {
    const { files } = readBundle(new Uint8Array(readFileSync(await make('canary.zip', ...args))))
    const text = [...files]
      .map(([name, bytes]) => `${name} ${Buffer.from(bytes).toString('latin1')}`)
      .join('\n')
    expect(text).not.toContain(canary)
    expect(text).not.toContain('u_person')
    expect(text).not.toContain('/wallet/transfers/')
    if (!args.includes('core,sig,pay,sub') && !args.includes('core,net,pay,sig,sub'))
      expect(text).not.toContain(user)
    expect(files.has('enrolment/leaf.json')).toBe(args.length > 0 && args[1] !== '')
  }
})

it('tells of every bundle that was made, in the log itself', async () => {
  const before = await log.store.countStaged()
  await make('logged.zip')
  const staged = await log.store.listStaged(100)
  expect(staged.length).toBe(before + 1)
  expect(decodeUtf8(staged.at(-1)?.leaf ?? new Uint8Array(0))).toContain('"k":"audit-exported"')
})

it('does not hold under another key than the one known from elsewhere', async () => {
  const file = await make('key.zip')
  const { publicKey } = sodiumPrimitives.ed25519KeyPair(new Uint8Array(32).fill(9))
  const vkey = encodeVerifierKey(sodiumPrimitives, { kind: 'ed25519', name: logOrigin, publicKey })
  const said = await check(file, '--vkey', vkey)
  expect(said.code).toBe(1)
  expect(said.out).toContain('FAILED The log’s key is the one known from elsewhere')
  expect(said.out).toContain('FAILED The log has signed the checkpoint')
  expect((await check(file)).out).toContain('not compared with a key known from elsewhere')
})

it('does not hold without the witnesses that the policy asks for', async () => {
  const file = await make('policy.zip')
  const { publicKey } = sodiumPrimitives.ed25519KeyPair(new Uint8Array(32).fill(8))
  const witness = encodeVerifierKey(sodiumPrimitives, {
    kind: 'cosignature',
    name: 'witness.example',
    publicKey,
  })
  writeFileSync(path('policy'), `log ${log.vkey}\nwitness w ${witness}\ngroup g any w\nquorum g\n`)
  const said = await check(file, '--policy', path('policy'))
  expect(said.code).toBe(1)
  expect(said.out).toContain('fewer witnesses than the policy asks for')
  writeFileSync(path('policy'), `log ${log.vkey}\nquorum none\n`)
  expect((await check(file, '--policy', path('policy'))).code).toBe(0)
})

it('does not hold with another file than the manifest has', async () => {
  const archive = new Uint8Array(readFileSync(await make('files.zip')))
  const { manifest, files } = readBundle(archive)
  expect(manifest.files['leaf.json']).toMatch(/^[0-9a-f]{64}$/)
  const forged = forge(path('files.zip'), 'readme.zip', (changed) =>
    changed.set('README.md', encodeUtf8('nothing')),
  )
  expect((await check(forged, '--vkey', log.vkey)).code).toBe(0)
  expect(files.has('README.zh-CN.md')).toBe(true)
  // Stored, not packed anew: the manifest stays as it was.
  const at = Buffer.from(archive).indexOf('leaf.json')
  archive[at + 'leaf.json'.length + 4] = (archive[at + 'leaf.json'.length + 4] ?? 0) ^ 1
  writeFileSync(path('flipped.zip'), archive)
  expect([1, 3]).toContain(
    await check(path('flipped.zip'), '--vkey', log.vkey).then(
      ({ code }) => code,
      () => 3,
    ),
  )
})

it('does not hold with a group, a salt, a leaf, a proof or a signature of something else', async () => {
  const file = await make('forged.zip', ...all)
  const { files } = readBundle(new Uint8Array(readFileSync(file)))
  const replaced =
    (name: string, from: string, to: string) =>
    (changed: Map<string, Uint8Array>): void => {
      const text = decodeUtf8(files.get(name) ?? new Uint8Array(0))
      if (!text.includes(from)) throw new Error(`${name} has no ${from}`)
      changed.set(name, encodeUtf8(text.replace(from, to)))
    }
  const core = JSON.parse(decodeUtf8(files.get('groups/core.json') ?? new Uint8Array(0))) as { salt: string }
  const forgeries: readonly (readonly [string, (changed: Map<string, Uint8Array>) => void])[] = [
    ['The disclosed groups', replaced('groups/core.json', '/wallet/transfers', '/wallet/transferx')],
    ['The disclosed groups', replaced('groups/core.json', core.salt, encodeBase64(new Uint8Array(32)))],
    ['The disclosed groups', (changed) => changed.delete('groups/pay.json')],
    ['The entry is in the log', (changed) => changed.set('leaf.json', other.leaf)],
    ['The entry is in the log', replaced('leaf.tlog-proof', 'index 324', 'index 325')],
    ['The log has signed', replaced('leaf.tlog-proof', '\n333\n', '\n334\n')],
    ['The log has signed', (changed) => changed.set('checkpoint.txt', encodeUtf8('x'))],
    ['The device has signed', (changed) => changed.set('signature-base.txt', encodeUtf8('x'))],
    ['The device’s key came', (changed) => changed.set('enrolment/leaf.json', other.leaf)],
    ['The body is the one', (changed) => changed.set('body.bin', encodeUtf8('{"payee":"eve"}'))],
  ]
  for (const [title, forgery] of forgeries) {
    const said = await check(forge(file, 'forgery.zip', forgery), '--vkey', log.vkey)
    expect(said).toMatchObject({ code: 1, out: expect.stringContaining(`FAILED ${title}`) })
  }
  writeFileSync(path('other.json'), '{"payee":"eve"}')
  expect((await check(file, '--vkey', log.vkey, '--body', path('other.json'))).code).toBe(1)
})

it('is not made with a body that was not signed, a group that is not there, or for no entry', async () => {
  writeFileSync(path('other.json'), '{"payee":"eve"}')
  const id = leafIdText(request.id)
  const run = (...args: readonly string[]) =>
    runCommand(evidence, [...args, '--out', path('none.zip')], log.environment)
  expect(await run(id, '--body', path('other.json'))).toMatchObject({
    code: 1,
    err: expect.stringContaining('the body is not the one that was signed'),
  })
  expect(() => readFileSync(path('none.zip'))).toThrow()
  await expect(run(leafIdText(other.id), '--groups', 'sig')).rejects.toThrow(/has no group sig/)
  await expect(run('00000000-0000-7000-8000-000000000000')).rejects.toThrow('there is no such entry')
  await expect(run('nothing')).rejects.toThrow(/receipt takes/)
  writeFileSync(path('noise.zip'), 'no archive')
  await expect(check(path('noise.zip'))).rejects.toThrow(/no zip archive/)
})

it('is confirmed by openssl and by thirty lines of Python', async () => {
  const { files } = readBundle(new Uint8Array(readFileSync(await make('outside.zip', ...all))))
  const place = path('outside')
  for (const [name, bytes] of files) {
    mkdirSync(dirname(join(place, name)), { recursive: true })
    writeFileSync(join(place, name), bytes)
  }
  const readme = decodeUtf8(files.get('README.md') ?? new Uint8Array(0))
  const commands = readme.split('\n').filter((line) => line.startsWith('    openssl pkeyutl'))
  expect(commands).toHaveLength(2)
  for (const command of commands) {
    const said = execFileSync('sh', ['-c', command.trim()], { cwd: place, encoding: 'utf8' })
    expect(said).toContain('Signature Verified Successfully')
  }
  const script = new URL('../outside/evidence.py', import.meta.url).pathname
  expect(execFileSync('python3', [script, place], { encoding: 'utf8' })).toBe('ok\n')
  writeFileSync(join(place, 'leaf.json'), other.leaf)
  expect(() => execFileSync('python3', [script, place], { stdio: 'pipe' })).toThrow()
})
