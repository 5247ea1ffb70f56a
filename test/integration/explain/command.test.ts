/** `miniseal explain` as a command: every form of a capture, keys, languages, exit codes. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RequestMessage } from '../../../crypto/frames/binary-http.ts'
import { CommandFailed, UsageError } from '../../../service/cli/command.ts'
import { explain } from '../../../service/cli/commands/explain.ts'
import type { NamedKey } from '../../support/captured.ts'
import {
  created,
  device,
  forwardedRequest,
  httpText,
  service,
  token,
  tokens,
} from '../../support/captured.ts'
import { type CommandResult, runCommand } from '../../support/command.ts'
import { runMiniseal } from '../../support/service-process.ts'

let folder: string
let server: Server
let address: string

const jwkOf = ({ signer, publicKey, known }: NamedKey) => ({
  ...{ kty: 'OKP', crv: 'Ed25519', kid: signer.keyid, miniseal_use: known.use },
  x: Buffer.from(publicKey).toString('base64url'),
})
const jwk = jwkOf(service)
const sets: Readonly<Record<string, unknown>> = {
  '/.well-known/jwks.json': { keys: [jwkOf(tokens)] },
  '/.well-known/miniseal-keys.json': { keys: [jwk] },
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'miniseal-explain-'))
  server = createServer((request, response) => {
    const set = sets[request.url ?? '']
    response.statusCode = set === undefined ? 404 : 200
    response.end(JSON.stringify(set))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const at = server.address()
  address = `http://127.0.0.1:${typeof at === 'object' && at !== null ? at.port : 0}`
})

afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true, force: true })
})

function write(name: string, content: unknown): string {
  const file = join(folder, name)
  const bytes =
    content instanceof Uint8Array ? content : typeof content === 'string' ? content : JSON.stringify(content)
  writeFileSync(file, bytes)
  return file
}

function run(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  return runCommand(explain, args, environment)
}

const message = forwardedRequest()
const moved: RequestMessage = { ...message, path: message.path.replace('/wallet/', '/wallet//') }
const keys = ['--key', JSON.stringify(jwk)]

function plainJson({ method, authority, path, fields, content }: RequestMessage): unknown {
  return {
    ...{ method, url: `https://${authority}${path}` },
    headers: Object.fromEntries(fields),
    body: Buffer.from(content).toString('base64'),
  }
}

function harEntry({ method, authority, path, fields, content }: RequestMessage): unknown {
  return {
    startedDateTime: new Date((created + 2) * 1000).toISOString(),
    request: {
      ...{ method, url: `https://${authority}${path}` },
      headers: [...fields].map(([name, value]) => ({ name, value })),
      postData: { text: Buffer.from(content).toString('utf8') },
    },
  }
}

describe('the forms of a capture', () => {
  const forms: readonly (readonly [string, (request: RequestMessage) => unknown])[] = [
    ['HTTP text', httpText],
    [
      'HTTP text with bare line feeds',
      (request) => Buffer.from(httpText(request)).toString('latin1').replaceAll('\r\n', '\n'),
    ],
    ['JSON', plainJson],
    [
      'JSON with its response',
      (request) => ({ request: plainJson(request), response: { status: 200, headers: {} } }),
    ],
    ['a HAR entry', harEntry],
    [
      'a HAR file',
      (request) => ({
        log: { entries: [{}, { request: { method: 'GET', url: '/', headers: [] } }, harEntry(request)] },
      }),
    ],
  ]
  it.each(forms)('explain reads a capture as %s', async (name, form) => {
    const good = await run([write(`${name}.good`, form(message)), ...keys])
    expect([good.code, good.out.match(/No check fails\./g)?.length]).toEqual([0, 2])
    const bad = await run([write(`${name}.bad`, form(moved)), ...keys])
    expect(bad.code).toBe(1)
    expect(bad.out).toContain('FAILED Ed25519 signature')
    expect(bad.out).toContain('"/" 0x2f here, "t" 0x74 there')
  })

  it('explain reads a capture from standard input', async () => {
    const file = write('stdin.http', httpText(moved))
    const ended = spawnSync(process.execPath, ['service/bin/miniseal.js', 'explain', ...keys], {
      input: readFileSync(file),
    })
    expect(ended.status).toBe(1)
    expect(String(ended.stdout)).toContain('repeated slashes')
    expect(String(ended.stdout) + String(ended.stderr)).not.toContain(token.slice(0, 60))
  })

  it('explain reads a problem document, alone and with its request', async () => {
    const problem = { code: 'window_invalid', step: 'window', detail: 'the signature …', time: created + 900 }
    const alone = await run([write('problem.json', problem)])
    expect(alone.code).toBe(1)
    expect(alone.out).toContain('window_invalid, at the step window')
    expect(alone.out).toContain('give the request with --request')
    const both = await run([
      write('late.http', httpText(message)),
      '--problem',
      join(folder, 'problem.json'),
      ...keys,
    ])
    expect(both.out).toContain('created is 900 s old')
    const unknown = await run([write('other.json', { code: 'out_of_stock' })])
    expect(unknown.out).toContain('not one of the service')
  })

  it('explain identifies a frame, a message without a signature, and an incomplete signature', async () => {
    const seal = 'POST /seal HTTP/1.1\r\nhost: a\r\ncontent-type: application/vnd.miniseal\r\n\r\nxxx'
    expect((await run([write('seal.http', seal)])).out).toContain('encrypted frame')
    expect((await run([write('bare.http', 'GET / HTTP/1.1\r\nhost: a\r\n\r\n')])).out).toContain(
      'there is no signature',
    )
    const half = 'GET / HTTP/1.1\r\nhost: a\r\nsignature: sig=:AAAA:\r\n\r\n'
    expect((await run([write('half.http', half)])).out).toContain('only signature is present')
  })
})

describe('keys', () => {
  it('explain takes keys from the URL or file of a JWK Set, from a key file, and from the request', async () => {
    const file = write('keys.http', httpText(message))
    const places = Object.keys(sets).flatMap((path) => ['--jwks', `${address}${path}`])
    const fetched = await run([file, ...places])
    expect(fetched.code).toBe(0)
    expect(fetched.out).not.toContain('is not known')
    expect((await run([file, '--jwks', write('keys.json', { keys: [jwk] })])).code).toBe(0)
    expect((await run([file, '--key', `@${join(folder, 'keys.json')}`])).code).toBe(0)
    const none = await run([file])
    expect(none.code).toBe(0)
    expect(none.out).toContain('no key of the service is known')
    expect(none.out).toContain('ok     Ed25519 signature')
  })

  it('explain uses a key only for the purpose for which it is published', async () => {
    const file = write('keys.http', httpText(message))
    const swapped = [
      { ...jwk, miniseal_use: 'token' },
      { ...jwkOf(tokens), miniseal_use: 'message' },
    ]
    const output = await run([file, '--jwks', write('swapped.json', { keys: swapped })])
    expect(output.code).toBe(1)
    expect(output.out).toContain('is published for another use')
    expect(output.out).toContain('the token is not verified')
    const unmarked = write('unmarked.json', { keys: [{ ...jwk, miniseal_use: undefined }] })
    await expect(run([file, '--jwks', unmarked])).rejects.toThrow('no Ed25519 key with miniseal_use')
  })

  it('explain fails when a key cannot be fetched or used, and does not print it', async () => {
    const file = write('keys.http', httpText(message))
    await expect(run([file, '--jwks', `${address}/nothing`])).rejects.toThrow(CommandFailed)
    await expect(run([file, '--jwks', 'http://127.0.0.1:1/x'])).rejects.toThrow(CommandFailed)
    await expect(run([file, '--key', 'x'])).rejects.toThrow(UsageError)
    const secret = JSON.stringify({ ...jwk, d: 'never-print-this' })
    await expect(run([file, '--key', secret])).rejects.toThrow(/^that is a private key: give the public one$/)
  })
})

it('explain prints Chinese with --lang zh-CN or a Chinese LANG', async () => {
  const file = write('moved.http', httpText(moved))
  for (const output of [
    await run([file, '--lang', 'zh-CN', ...keys]),
    await run([file, ...keys], { LANG: 'zh_CN.UTF-8' }),
  ]) {
    expect(output.out).toContain('失败   Ed25519 签名')
    expect(output.out).toContain('连续的斜杠被合并')
  }
})

it('explain --json prints a JSON report', async () => {
  const output = await run([write('moved.http', httpText(moved)), '--json', ...keys])
  expect(output.code).toBe(1)
  const report: unknown = JSON.parse(output.out)
  expect(report).toMatchObject({
    ok: false,
    signatures: [
      { kind: 'device', failed: 'verify', code: 'signature_invalid', difference: { component: '@path' } },
      { kind: 'gateway', failed: 'verify' },
    ],
  })
  expect(output.out).not.toContain(token.slice(0, 60))
})

it('explain accepts another origin, a base and a digest of a base', async () => {
  const internal = { ...message, authority: '10.0.0.5:9001' }
  const file = write('internal.http', httpText(internal))
  expect((await run([file, ...keys])).code).toBe(1)
  expect((await run([file, '--origin', 'https://pay.example.com', ...keys])).code).toBe(0)
  const based = await run([file, '--base', write('base.txt', '"@method": POST\n'), ...keys])
  expect(based.out).toContain('does not verify over the base of --base either')
  const digested = await run([file, '--base-sha256', '0'.repeat(64), ...keys])
  expect(digested.out).toContain('no known change explains it')
})

it('explain exits with 2 for a usage error and 3 for unreadable input, with help', async () => {
  const file = write('good.http', httpText(message))
  for (const args of [
    [file, file],
    [file, '--lang', 'fr'],
    [file, '--at', 'yesterday'],
    [file, '--origin', 'PAY'],
    [file, '--base-sha256', 'x'],
  ]) {
    await expect(run(args)).rejects.toThrow(UsageError)
  }
  await expect(run([join(folder, 'absent')])).rejects.toThrow(/cannot be read/)
  await expect(run([write('garbage', new Uint8Array([0, 1, 255]))])).rejects.toThrow(
    /neither HTTP text nor JSON[\s\S]*HAR/,
  )
  await expect(run([write('other.json', { a: 1 })])).rejects.toThrow(/none of the forms/)
  await expect(run([write('empty', '')])).rejects.toThrow(/it is empty/)
  await expect(run([file, '--request', write('p.json', { code: 'replayed' })])).rejects.toThrow(/no request/)
  expect((await runMiniseal(['explain', join(folder, 'absent')], {}).finished).code).toBe(3)
})

it('explain verifies with the device key that the request contains', () => {
  expect(message.fields.find(([name]) => name === 'miniseal-device-key')?.[1]).toBe(
    Buffer.from(device.publicKey).toString('base64url'),
  )
})
