/** The configuration of the service. */

import { randomBytes } from 'node:crypto'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { encodeVerifierKey } from '../../../crypto/tlog/signed-note.ts'
import { readConfig } from '../../../service/config/config.ts'
import { ConfigError } from '../../../service/config/environment.ts'
import { sodiumPrimitives } from '../../../service/keys/sodium-primitives.ts'
import { sandboxApp } from '../../../service/wechat/apps.ts'
import { sharedFolder } from '../../support/hooks.ts'
import { production } from '../../support/service.ts'

const folder = sharedFolder()

const key = production.MINISEAL_MASTER_KEY

it('development needs no configuration and its master key file is readable by its owner only', () => {
  const data = join(folder, 'development')
  const first = readConfig({ MINISEAL_DATA: data })
  expect(first).toMatchObject({
    mode: 'development',
    host: '127.0.0.1',
    port: 8787,
    wechatApi: { kind: 'built-in-sandbox' },
  })
  expect(first.database).toEqual({ kind: 'sqlite', path: 'data/miniseal.db' })
  expect(statSync(data).mode & 0o777).toBe(0o700)
  expect(statSync(join(data, 'master.key')).mode & 0o777).toBe(0o600)
  expect(readConfig({ MINISEAL_DATA: data }).masterKeys).toEqual(first.masterKeys)
})

it('production refuses all development defaults in one message with a fix for each', () => {
  let message = ''
  try {
    readConfig({ NODE_ENV: 'production', MINISEAL_DATA: join(folder, 'never') })
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    message = (error as Error).message
  }
  for (const name of [
    'MINISEAL_ORIGIN',
    'MINISEAL_MASTER_KEY',
    'MINISEAL_WECHAT_APPS',
    'MINISEAL_UPSTREAMS',
  ]) {
    expect(message).toContain(`${name} `)
  }
  expect(message).toContain('openssl rand -base64 32')
  expect(() => statSync(join(folder, 'never'))).toThrow()
})

it('a complete production configuration uses the WeChat API itself', () => {
  const config = readConfig(production)
  expect(config).toMatchObject({
    mode: 'production',
    wechatApi: { kind: 'url', url: 'https://api.weixin.qq.com' },
  })
  expect(config.upstreams).toEqual([{ prefix: '/wallet', origin: 'http://127.0.0.1:9001' }])
})

it('production refuses the AppSecret of the sandbox', () => {
  const apps = `${sandboxApp.appid}:${sandboxApp.secret}`
  expect(() => readConfig({ ...production, MINISEAL_WECHAT_APPS: apps })).toThrow(
    /MINISEAL_WECHAT_APPS.*sandbox/,
  )
})

it('a secret can come from a file, but not from variable and file at once', () => {
  const path = join(folder, 'key')
  writeFileSync(path, `${key}\n`)
  const { MINISEAL_MASTER_KEY: _, ...rest } = production
  expect(readConfig({ ...rest, MINISEAL_MASTER_KEY_FILE: path }).masterKeys).toEqual([
    new Uint8Array(Buffer.from(key, 'base64')),
  ])
  expect(() => readConfig({ ...production, MINISEAL_MASTER_KEY_FILE: path })).toThrow(/both set/)
  expect(() => readConfig({ ...rest, MINISEAL_MASTER_KEY_FILE: join(folder, 'absent') })).toThrow(
    /cannot be read/,
  )
})

it('database URL and metrics token can come from files', () => {
  const [database, token] = [join(folder, 'database'), join(folder, 'token')]
  const url = 'postgres://miniseal:password@127.0.0.1/miniseal'
  writeFileSync(database, `${url}\n`)
  writeFileSync(token, 'metrics-token-0123456789\n')
  expect(
    readConfig({ ...production, MINISEAL_DATABASE_FILE: database, MINISEAL_METRICS_TOKEN_FILE: token }),
  ).toMatchObject({
    database: { kind: 'postgres', url },
    metrics: { kind: 'token', token: 'metrics-token-0123456789' },
  })
})

it('pool size and direct URL apply to PostgreSQL only, and the URL can come from a file', () => {
  const [url, direct] = ['postgres://u:p@pooler/miniseal', 'postgres://u:p@server/miniseal']
  const pooled = { ...production, MINISEAL_DATABASE: url }
  expect(readConfig(pooled).database).toEqual({ kind: 'postgres', url })
  const path = join(folder, 'direct-url')
  writeFileSync(path, `${direct}\n`)
  expect(
    readConfig({ ...pooled, MINISEAL_POSTGRES_POOL: '7', MINISEAL_POSTGRES_DIRECT_URL_FILE: path }).database,
  ).toEqual({ kind: 'postgres', url, poolSize: 7, directUrl: direct })
  const sqlite = { ...production, MINISEAL_DATABASE: 'sqlite:a.db' }
  expect(() => readConfig({ ...sqlite, MINISEAL_POSTGRES_POOL: '7' })).toThrow(/PostgreSQL only/)
  for (const wrong of ['1', '0', '1000', '07', '2.5']) {
    expect(() => readConfig({ ...pooled, MINISEAL_POSTGRES_POOL: wrong })).toThrow('MINISEAL_POSTGRES_POOL')
  }
  const secret = { ...pooled, MINISEAL_POSTGRES_DIRECT_URL: 'mysql://u:secret@server/x' }
  expect(() => readConfig(secret)).toThrow('MINISEAL_POSTGRES_DIRECT_URL')
  expect(() => readConfig(secret)).not.toThrow('secret')
})

it('a list of master keys has the current one first', () => {
  const old = randomBytes(32).toString('base64')
  expect(readConfig({ ...production, MINISEAL_MASTER_KEY: `${key},${old}` }).masterKeys).toHaveLength(2)
})

it.each([
  ['PORT', '70000'],
  ['PORT', 'abc'],
  ['MINISEAL_ORIGIN', 'https://pay.example.com/path'],
  ['MINISEAL_ORIGIN', 'https://Pay.example.com'],
  ['MINISEAL_ORIGIN', 'http://pay.example.com'],
  ['MINISEAL_DATABASE', 'mysql://x'],
  ['MINISEAL_DATABASE', 'sqlite:'],
  ['MINISEAL_MASTER_KEY', 'c2hvcnQ='],
  ['MINISEAL_WECHAT_APPS', 'wx1234'],
  ['MINISEAL_WECHAT_APPS', 'wx1234:a,wx1234:b'],
  ['MINISEAL_WECHAT_API', 'http://api.example.com'],
  ['MINISEAL_UPSTREAMS', 'wallet'],
  ['MINISEAL_MAX_DEVICES', '0'],
  ['MINISEAL_MAX_DEVICES', '10000'],
  ['MINISEAL_MAX_DEVICES', '1e2'],
  ['MINISEAL_LOG_LEVEL', 'loud'],
  ['MINISEAL_LOG_ORIGIN', 'https://pay.example.com/audit'],
  ['MINISEAL_LOG_ORIGIN', 'pay.example.com/au dit'],
  ['MINISEAL_LOG_ORIGIN', 'pay.example.com/au+dit'],
  ['MINISEAL_LOG_ORIGIN', `${'a'.repeat(100)}/${'b'.repeat(40)}`],
  ['MINISEAL_LOG_POLICY_FILE', '/nowhere/policy'],
  ['MINISEAL_TSA_URL', 'tsa.example.com'],
  ['MINISEAL_TSA_URL', 'ftp://tsa.example.com'],
])('%s=%s is refused with the name of the variable and without its value', (name, value) => {
  const attempt = (): unknown => readConfig({ ...production, [name]: value })
  expect(attempt).toThrow(ConfigError)
  expect(attempt).toThrow(name)
  if (name === 'MINISEAL_MASTER_KEY') expect(attempt).not.toThrow(value)
})

it('witnesses of the policy file need an https or loopback URL', () => {
  const path = join(folder, 'policy')
  const vkey = (name: string, seed: number): string => {
    const { publicKey } = sodiumPrimitives.ed25519KeyPair(new Uint8Array(32).fill(seed))
    return encodeVerifierKey(sodiumPrimitives, { kind: 'cosignature', name, publicKey })
  }
  const read = (url: string) => {
    writeFileSync(
      path,
      `witness far ${vkey('far.example', 1)} ${url}\nwitness near ${vkey('near.example', 2)}\nquorum none\n`,
    )
    return readConfig({ ...production, MINISEAL_LOG_POLICY_FILE: path }).log.witnesses
  }
  expect(read('https://far.example/w')).toMatchObject([{ name: 'far', url: 'https://far.example/w' }])
  expect(read('http://127.0.0.1:9000')).toHaveLength(1)
  for (const url of ['http://far.example', 'ftp://far.example', 'far.example']) {
    expect(() => read(url)).toThrow('MINISEAL_LOG_POLICY_FILE')
  }
  writeFileSync(path, 'witness\n')
  expect(() => readConfig({ ...production, MINISEAL_LOG_POLICY_FILE: path })).toThrow(
    'MINISEAL_LOG_POLICY_FILE',
  )
})
