/** Evidence for one entry: its contents, its limits and its verification. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { unzipSync, zipSync } from 'fflate'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { keyThumbprint } from '../../../crypto/primitives/thumbprint.ts'
import { decodeUtf8, encodeBase64, encodeBase64Url, encodeUtf8 } from '../../../crypto/text.ts'
import { encodeVerifierKey } from '../../../crypto/tlog/signed-note.ts'
import { checkEvidenceCommand } from '../../../service/cli/commands/audit/check-evidence.ts'
import { evidence } from '../../../service/cli/commands/audit/evidence.ts'
import { sodiumPrimitives } from '../../../service/keys/sodium-primitives.ts'
import type { PendingEntry } from '../../../service/store/tlog-entries.ts'
import { leafIdText } from '../../../service/tlog/entry.ts'
import type { ReadBundle } from '../../../service/tlog/evidence/bundle.ts'
import { readBundle, writeBundle } from '../../../service/tlog/evidence/bundle.ts'
import { runCommand } from '../../support/command.ts'
import type { MadeEntry, WrittenLog } from '../../support/written-log.ts'
import { logOrigin, logStart, requests, startLog } from '../../support/written-log.ts'
import { createSqlite } from '../store/engines.ts'

const device = sodiumPrimitives.ed25519KeyPair(new Uint8Array(32).fill(7))
const keyid = keyThumbprint(sodiumPrimitives, device.publicKey)
const body = '{"payee":"bob","amount":1250}'
const user = 'u_alice'
const canary = 'canary-of-somebody-else'

const digestOf = (text: string): string => `sha-256=:${createHash('sha256').update(text).digest('base64')}:`

let log: WrittenLog
let folder: string
let request: PendingEntry
let other: PendingEntry

const at = logStart * 1000

/** The signature base of the transfer. */
const signedText = [
  '"@method": POST',
  '"@authority": pay.example.com',
  '"@path": /wallet/transfers',
  '"@query": ?draft',
  '"content-type": application/json',
  `"content-digest": ${digestOf(body)}`,
  '"authorization": HTTPSig e30.e30.AA',
  '"idempotency-key": "order-1"',
  '"@signature-params": ("@method" "@authority" "@path" "@query" "content-type" "content-digest" "authorization" ' +
    `"idempotency-key");created=${logStart};nonce="AAAAAAAAAAAAAAAAAAAAAA";keyid="${keyid}";tag="miniseal"`,
].join('\n')

/** A transfer as the journal logs it, signed by the device; or what a dishonest service logs, with the device's signature. */
function transfer(
  change: (groups: NonNullable<MadeEntry['groups']>) => NonNullable<MadeEntry['groups']> = (groups) => groups,
  base = signedText,
  loggedAt?: number,
): MadeEntry {
  const signature = encodeBase64(sodiumPrimitives.ed25519Sign(encodeUtf8(base), device.secretKey))
  const publicKey = encodeBase64Url(device.publicKey)
  return {
    user,
    ...(loggedAt === undefined ? {} : { at: loggedAt }),
    path: '/wallet/transfers?draft',
    groups: change({
      core: {
        duration_ms: 12,
        idempotency_key: '"order-1"',
        method: 'POST',
        path: '/wallet/transfers?draft',
        status: 201,
      },
      sub: { device: keyid, user },
      sig: { base, created: logStart, keyid, public_key: publicKey, signature },
      pay: { request_digest: digestOf(body), request_size: body.length },
    }),
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
  ;[request, other] = made as [PendingEntry, PendingEntry]
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
  const result = await runCommand(evidence, [leafIdText(request.id), '--out', out, ...args], log.environment)
  expect(result.code).toBe(0)
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

it('evidence verifies step by step, in English and in Chinese', async () => {
  writeFileSync(path('body.json'), body)
  const file = await make('whole.zip', ...all, '--body', path('body.json'))
  const result = await check(file, '--vkey', log.vkey)
  expect(result.code).toBe(0)
  expect(result.out).toContain(
    'ok     The log signed the checkpoint: pay.example.com/audit/2025, 333 entries',
  )
  expect(result.out).toContain(`ok     The device signed the request: device ${keyid}`)
  expect(result.out).toContain('ok     The device key belongs to this user: device-added')
  expect(result.out).toContain(`ok     The body matches the signed digest: ${body.length} bytes`)
  expect(result.out).toContain('The evidence is valid.')
  const chinese = await runCommand(checkEvidenceCommand, [file, '--vkey', log.vkey], { LANG: 'zh_CN.UTF-8' })
  expect(chinese.out).toContain('通过   检查点由日志签名')
  expect(chinese.out).toContain('证据有效。')
})

it('evidence contains no data of other users, and only the chosen groups of the entry', async () => {
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

it('the log records every bundle that was made', async () => {
  const before = await log.store.countPending()
  await make('logged.zip')
  const staged = await log.store.listPending(100)
  expect(staged.length).toBe(before + 1)
  expect(decodeUtf8(staged.at(-1)?.leaf ?? new Uint8Array(0))).toContain('"k":"audit-exported"')
})

it('evidence is invalid under another key than the trusted one', async () => {
  const file = await make('key.zip')
  const { publicKey } = sodiumPrimitives.ed25519KeyPair(new Uint8Array(32).fill(9))
  const vkey = encodeVerifierKey(sodiumPrimitives, { kind: 'ed25519', name: logOrigin, publicKey })
  const result = await check(file, '--vkey', vkey)
  expect(result.code).toBe(1)
  expect(result.out).toContain('FAILED The log key is the given one')
  expect(result.out).toContain('FAILED The log signed the checkpoint')
  const unknown = await check(file)
  expect(unknown.code).toBe(3)
  expect(unknown.out).toContain('not compared with a trusted key')
  expect(unknown.out).toContain('The parts are consistent; the log key was not checked')
  expect(JSON.parse((await check(file, '--json')).out)).toMatchObject({ ok: false, verdict: 'fits' })
  // A witness is no log: its key alone does not say whose log it is.
  const witness = { kind: 'cosignature', name: 'witness.example', publicKey } as const
  const cosigner = encodeVerifierKey(sodiumPrimitives, witness)
  expect((await check(file, '--vkey', cosigner)).code).toBe(3)
})

it('evidence is invalid without the witnesses that the policy requires', async () => {
  const file = await make('policy.zip')
  const { publicKey } = sodiumPrimitives.ed25519KeyPair(new Uint8Array(32).fill(8))
  const witness = encodeVerifierKey(sodiumPrimitives, {
    kind: 'cosignature',
    name: 'witness.example',
    publicKey,
  })
  writeFileSync(path('policy'), `log ${log.vkey}\nwitness w ${witness}\ngroup g any w\nquorum g\n`)
  const result = await check(file, '--policy', path('policy'))
  expect(result.code).toBe(1)
  expect(result.out).toContain('fewer cosignatures than the policy requires')
  writeFileSync(path('policy'), `log ${log.vkey}\nquorum none\n`)
  expect((await check(file, '--policy', path('policy'))).code).toBe(0)
})

it('evidence is invalid when a file differs from the manifest', async () => {
  const archive = new Uint8Array(readFileSync(await make('files.zip')))
  const { manifest, files } = readBundle(archive)
  expect(manifest.files['leaf.json']).toMatch(/^[0-9a-f]{64}$/)
  const forged = forge(path('files.zip'), 'readme.zip', (changed) =>
    changed.set('README.md', encodeUtf8('nothing')),
  )
  expect((await check(forged, '--vkey', log.vkey)).code).toBe(0)
  expect(files.has('README.zh-CN.md')).toBe(true)
  // Stored without compression: the manifest is unchanged.
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

it('evidence is invalid with a group, salt, leaf, proof or signature of another entry', async () => {
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
    ['The log signed', replaced('leaf.tlog-proof', '\n333\n', '\n334\n')],
    ['The log signed', (changed) => changed.set('checkpoint.txt', encodeUtf8('x'))],
    ['The device signed', (changed) => changed.set('signature-base.txt', encodeUtf8('x'))],
    ['The device key belongs', (changed) => changed.set('enrolment/leaf.json', other.leaf)],
    ['The body matches', (changed) => changed.set('body.bin', encodeUtf8('{"payee":"eve"}'))],
  ]
  for (const [title, forgery] of forgeries) {
    const result = await check(forge(file, 'forgery.zip', forgery), '--vkey', log.vkey)
    expect(result).toMatchObject({ code: 1, out: expect.stringContaining(`FAILED ${title}`) })
  }
  writeFileSync(path('other.json'), '{"payee":"eve"}')
  expect((await check(file, '--vkey', log.vkey, '--body', path('other.json'))).code).toBe(1)
})

it('evidence is not created with an unsigned body, an absent group or an unknown entry', async () => {
  writeFileSync(path('other.json'), '{"payee":"eve"}')
  const id = leafIdText(request.id)
  const run = (...args: readonly string[]) =>
    runCommand(evidence, [...args, '--out', path('none.zip')], log.environment)
  expect(await run(id, '--body', path('other.json'))).toMatchObject({
    code: 1,
    err: expect.stringContaining('the body does not match the signed digest'),
  })
  expect(() => readFileSync(path('none.zip'))).toThrow()
  await expect(run(leafIdText(other.id), '--groups', 'sig')).rejects.toThrow(/has no group sig/)
  await expect(run('00000000-0000-7000-8000-000000000000')).rejects.toThrow('entry not found')
  await expect(run('nothing')).rejects.toThrow(/ID must be the UUID or the leaf hash/)
  writeFileSync(path('noise.zip'), 'no archive')
  await expect(check(path('noise.zip'))).rejects.toThrow(/not a zip archive/)
})

const script = new URL('../../conformance/judges/evidence.py', import.meta.url).pathname

/** The verdicts of the script on the groups of entries, without a log: `ok`, or `refused` with the reason. */
function outsideVerdicts(entries: readonly MadeEntry[]): readonly string[] {
  const given = entries.map((entry) => {
    const leaf = { ts: entry.at ?? at + 1000 }
    return { core: {}, pay: {}, sig: {}, ...entry.groups, leaf, origin: logOrigin }
  })
  const input = JSON.stringify(given)
  return execFileSync('python3', [script, '-'], { input, encoding: 'utf8' }).trim().split('\n')
}

it('evidence verifies with openssl and with a short Python script', async () => {
  const { files } = readBundle(new Uint8Array(readFileSync(await make('outside.zip', ...all))))
  const folder = path('outside')
  for (const [name, bytes] of files) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), bytes)
  }
  const readme = decodeUtf8(files.get('README.md') ?? new Uint8Array(0))
  const commands = readme.split('\n').filter((line) => line.startsWith('    openssl pkeyutl'))
  expect(commands).toHaveLength(2)
  for (const command of commands) {
    const result = execFileSync('sh', ['-c', command.trim()], { cwd: folder, encoding: 'utf8' })
    expect(result).toContain('Signature Verified Successfully')
  }
  expect(execFileSync('python3', [script, folder], { encoding: 'utf8' })).toBe('ok\n')
  writeFileSync(join(folder, 'leaf.json'), other.leaf)
  expect(() => execFileSync('python3', [script, folder], { stdio: 'pipe' })).toThrow()
  // The same of what a dishonest service logs: rightly committed, and not what was signed.
  const [honest, ...others] = outsideVerdicts([
    transfer(),
    replacedIn('core', 'path', '/wallet/transfers/2?draft'),
    replacedIn('core', 'idempotency_key', undefined),
    replacedIn('pay', 'request_digest', digestOf('{}')),
    replacedIn('sig', 'created', logStart + 1),
    transfer(undefined, undefined, at + 400_000),
    signedAs('pay.example.com', 'evil.example.com'),
    signedAs('tag="miniseal"', 'tag="miniseal-push"'),
    signedAs(' "authorization" ', ' '),
  ])
  expect(honest).toBe('ok')
  expect(others).toHaveLength(8)
  for (const verdict of others) expect(verdict).toMatch(/^refused: /)
})

/** What the command says when it is asked to make evidence of an entry that a dishonest service has logged. */
async function faultOf(entry: MadeEntry): Promise<string> {
  const [made] = await log.append([entry])
  await log.sign()
  if (made === undefined) throw new Error('no entry')
  const args = [leafIdText(made.id), '--groups', 'core,sig,pay,sub', '--out', path('fault.zip')]
  const { code, err } = await runCommand(evidence, args, log.environment)
  expect(code).toBe(1)
  return err
}

const replacedIn = (label: string, name: string, value: string | number | undefined) =>
  transfer((groups) => {
    const { [name]: _, ...others } = groups[label] ?? {}
    return { ...groups, [label]: value === undefined ? others : { ...others, [name]: value } }
  })
const signedAs = (from: string | RegExp, to: string) => transfer(undefined, signedText.replace(from, to))
const otherKey = keyThumbprint(sodiumPrimitives, new Uint8Array(32).fill(3))

it.each<[string, string, () => MadeEntry]>([
  ['another method', 'request: the method', () => replacedIn('core', 'method', 'PUT')],
  ['another path', 'request: the path', () => replacedIn('core', 'path', '/wallet/transfers/2?draft')],
  ['another query', 'request: the path', () => replacedIn('core', 'path', '/wallet/transfers?final')],
  ['no query', 'request: the path', () => replacedIn('core', 'path', '/wallet/transfers')],
  ['no path', 'request: the path', () => replacedIn('core', 'path', undefined)],
  ['another key', 'request: the Idempotency-Key', () => replacedIn('core', 'idempotency_key', '"order-2"')],
  ['no key', 'request: the Idempotency-Key', () => replacedIn('core', 'idempotency_key', undefined)],
  ['another body', 'payload: ', () => replacedIn('pay', 'request_digest', digestOf('{}'))],
  ['no body', 'payload: ', () => replacedIn('pay', 'request_digest', undefined)],
  ['another time of signing', 'signature: ', () => replacedIn('sig', 'created', logStart + 1)],
  ['another name of the key', 'signature: ', () => replacedIn('sig', 'keyid', otherKey)],
  ['another device', 'signature: ', () => replacedIn('sub', 'device', otherKey)],
  ['a later time', 'request: the time of the signature', () => transfer(undefined, undefined, at + 400_000)],
  [
    'an earlier time',
    'request: the time of the signature',
    () => transfer(undefined, undefined, at - 400_000),
  ],
  ['another authority', 'request: signed for', () => signedAs('pay.example.com', 'evil.example.com')],
  ['a text of another tag', 'signature: ', () => signedAs('tag="miniseal"', 'tag="miniseal-push"')],
  ['a text with a parameter more', 'signature: ', () => signedAs(';tag', ';alg="ed25519";tag')],
  ['a text without a nonce', 'signature: ', () => signedAs(/;nonce="A*"/, '')],
  ['a text with a short nonce', 'signature: ', () => signedAs('AAAAAAAAAAAAAAAAAAAAAA', 'AAAA')],
  ['a text with another spelling', 'signature: ', () => signedAs('("@method" ', '("@method"  ')],
  ['a text that lists less', 'signature: ', () => signedAs(' "authorization" ', ' ')],
  ['a text that says less', 'signature: ', () => signedAs(/"@query": .*\n/, '')],
  [
    'a text that covers less',
    'signature: ',
    () => transfer(undefined, signedText.replace(/"@query": .*\n/, '').replace(' "@query"', '')),
  ],
  [
    'a text that covers more',
    'signature: ',
    () =>
      transfer(
        undefined,
        signedText
          .replace('"@signature-params"', '"accept": x\n"@signature-params"')
          .replace('")', '" "accept")'),
      ),
  ],
  ['a text in another order', 'signature: ', () => signedAs(/^("@method".*\n)("@authority".*\n)/, '$2$1')],
  ['a text with a component twice', 'signature: ', () => signedAs(/^(.*\n)/, '$1$1')],
])('evidence is invalid for an entry with %s than was signed', async (_what, fault, entry) => {
  expect(await faultOf(entry())).toContain(fault)
})

/** Files outside the proof: the README, and the keys of the service for reference. */
const unprovenFiles = /^README|^keys\/service\.json$/
/** That the same enrolment is in the log, from a later day, is as good. */
const asGood = 'enrolment/leaf.tlog-proof'

/** What may stand in the place of a file: the same with a bit flipped, and that of another bundle. */
function replacements(name: string, mine: Uint8Array, theirs: Uint8Array): readonly Uint8Array[] {
  const flipped = mine.slice()
  flipped[flipped.length >> 1] = (flipped[flipped.length >> 1] ?? 0) ^ 1
  const isOther = name !== asGood && !Buffer.from(mine).equals(Buffer.from(theirs))
  return isOther ? [flipped, theirs] : [flipped]
}

async function twoBundles(): Promise<readonly [file: string, mine: ReadBundle, theirs: ReadBundle]> {
  const file = await make('members.zip', ...all)
  const [elsewhere] = await log.append([transfer()])
  await log.sign()
  if (elsewhere === undefined) throw new Error('no entry')
  const out = path('elsewhere.zip')
  const made = await runCommand(evidence, [leafIdText(elsewhere.id), '--out', out, ...all], log.environment)
  expect(made.code).toBe(0)
  const read = (name: string): ReadBundle => readBundle(new Uint8Array(readFileSync(name)))
  return [file, read(file), read(out)]
}

it('evidence is invalid if any of its files is exchanged or changed, even if the manifest matches', async () => {
  const [file, mine, theirs] = await twoBundles()
  const judged = async (change: (files: Map<string, Uint8Array>) => void): Promise<number> =>
    (await check(forge(file, 'member.zip', change), '--vkey', log.vkey)).code
  for (const [name, bytes] of mine.files) {
    if (unprovenFiles.test(name)) continue
    for (const other of replacements(name, bytes, theirs.files.get(name) ?? bytes))
      expect(await judged((files) => files.set(name, other)), name).toBe(1)
    expect(await judged((files) => files.delete(name)), `${name} gone`).toBe(1)
  }
})

it('evidence is rejected if two files have the same name, because another program may read the other one', async () => {
  const [file, , theirs] = await twoBundles()
  const leaf = theirs.files.get('leaf.json') ?? new Uint8Array(0)
  for (const first of [true, false]) {
    const own = unzipSync(readFileSync(file))
    const added = { 'leaf.jsoX': leaf }
    const archive = Buffer.from(zipSync(first ? { ...added, ...own } : { ...own, ...added }))
    for (let at = archive.indexOf('leaf.jsoX'); at >= 0; at = archive.indexOf('leaf.jsoX'))
      archive.write('leaf.json', at)
    writeFileSync(path('two.zip'), archive)
    await expect(check(path('two.zip'), '--vkey', log.vkey)).rejects.toThrow(/not an evidence bundle/)
  }
})

it('evidence is invalid with a manifest of another entry, log or selection', async () => {
  const [, { manifest, files }, theirs] = await twoBundles()
  const { id, origin, groups } = manifest
  for (const about of [
    { id: theirs.manifest.id, origin, groups },
    { id, origin: 'pay.example.com/audit/2024', groups },
    { id, origin, groups: ['core'] },
  ]) {
    writeFileSync(path('about.zip'), writeBundle(files, about))
    expect((await check(path('about.zip'), '--vkey', log.vkey)).code).toBe(1)
  }
})

it('evidence is checked for the service of the log origin, or for the given one', async () => {
  const file = await make('origin.zip', ...all)
  expect((await check(file, '--vkey', log.vkey, '--origin', 'https://pay.example.com')).code).toBe(0)
  const result = await check(file, '--vkey', log.vkey, '--origin', 'https://shop.example.com')
  expect(result).toMatchObject({
    code: 1,
    out: expect.stringContaining('FAILED The signed request is the one'),
  })
})
