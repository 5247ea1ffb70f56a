/** Variables, modes, hosts and keys that the service refuses. */

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Terminal } from '../../../service/cli/command.ts'
import { withDatabase } from '../../../service/cli/database.ts'
import { readConfig } from '../../../service/config/config.ts'
import {
  ConfigError,
  presentValues,
  readDatabase,
  readOperatorPaths,
} from '../../../service/config/environment.ts'
import { knownVariables } from '../../../service/config/variables.ts'
import { sharedFolder } from '../../support/hooks.ts'
import { production as completeProduction } from '../../support/service.ts'
import { runMiniseal } from '../../support/service-process.ts'

const folder = sharedFolder()

const good = randomBytes(32).toString('base64')
const development = { MINISEAL_DATA: join(folder, 'data') }
const production = {
  ...completeProduction,
  MINISEAL_DATA: join(folder, 'production'),
  MINISEAL_MASTER_KEY: good,
}

it.each([
  [undefined, 'development'],
  ['', 'development'],
  ['development', 'development'],
  ['test', 'development'],
  ['production', 'production'],
])('NODE_ENV %j selects the mode %s', (value, mode) => {
  const environment = mode === 'production' ? production : development
  expect(readConfig({ ...environment, NODE_ENV: value }).mode).toBe(mode)
})

it.each(['prod', 'Production', 'production ', 'staging', 'PRODUCTION', 'dev'])(
  'NODE_ENV %j is refused by the service and every command',
  (value) => {
    const environment = { ...production, NODE_ENV: value }
    for (const read of [readConfig, readOperatorPaths, readDatabase]) {
      expect(() => read(environment)).toThrow(ConfigError)
      expect(() => read(environment)).toThrow(/NODE_ENV must be production, development or test/)
    }
  },
)

it.each([
  ['MINISEAL_DATABSE', 'MINISEAL_DATABASE'],
  ['MINISEAL_MASTERKEY', 'MINISEAL_MASTER_KEY'],
  ['MINISEAL_UPSTREAM', 'MINISEAL_UPSTREAMS'],
  ['MINISEAL_TRUSTED_PROXY', 'MINISEAL_TRUSTED_PROXIES'],
  ['MINISEAL_ROUTES_FILE_', 'MINISEAL_ROUTES_FILE'],
  ['MINISEAL_WECHAT_APPS_FIEL', 'MINISEAL_WECHAT_APPS_FILE'],
])(
  'the unknown variable %s is refused by the service and every command, which suggest %s',
  (name, nearest) => {
    for (const read of [readConfig, readOperatorPaths, readDatabase, presentValues]) {
      expect(() => read({ ...development, [name]: 'x' })).toThrow(
        `${name} is not known; did you mean ${nearest}?`,
      )
    }
  },
)

it('variables of Docker and Kubernetes, empty ones and foreign ones are ignored', () => {
  const others = {
    MINISEAL_PORT: 'tcp://10.0.0.1:8787',
    MINISEAL_SERVICE_HOST: '10.0.0.1',
    MINISEAL_SERVICE_PORT_HTTP: '8787',
    MINISEAL_PORT_8787_TCP_ADDR: '10.0.0.1',
    MINISEAL_NOTHING: '',
    MINISEALS: 'x',
    DATABSE: 'x',
  }
  expect(readConfig({ ...development, ...others }).mode).toBe('development')
})

it('an unknown variable also stops commands that read no variables', async () => {
  const run = runMiniseal(['explain'], { MINISEAL_AUDIT_TOKEN: 'x' })
  const ended = await run.finished
  expect(ended).toMatchObject({ code: 3, out: '' })
  expect(ended.err).toContain('did you mean MINISEAL_AUDITOR_TOKEN?')
})

it('docs/guides/operations.md lists exactly the known variables', () => {
  const page = readFileSync(new URL('../../../docs/guides/operations.md', import.meta.url), 'utf8')
  const chapter = page.slice(page.indexOf('## Environment variables'), page.indexOf('## Before production'))
  const named = [...chapter.matchAll(/^\| `([A-Z_]+)`/gm)].map(([, name]) => name)
  expect(named.filter((name) => name !== 'OTEL_EXPORTER_OTLP_ENDPOINT').toSorted()).toEqual(
    knownVariables.toSorted(),
  )
})

it.each(['127.0.0.1', '127.8.8.8', '::1', 'localhost'])('development can listen on %s', (host) => {
  expect(readConfig({ ...development, HOST: host }).host).toBe(host)
})

it.each(['0.0.0.0', '::', '192.168.1.7', '127.0.0.1.example.com', 'example.com'])(
  'development refuses to listen on %s',
  (host) => {
    expect(() => readConfig({ ...development, HOST: host })).toThrow(/HOST must be .* in development/)
    expect(readConfig({ ...production, HOST: host }).host).toBe(host)
  },
)

it.each([':memory:', ' :memory: '])('production refuses the database %j', async (path) => {
  const environment = { ...production, MINISEAL_DATABASE: `sqlite:${path}` }
  expect(() => readConfig(environment)).toThrow(/MINISEAL_DATABASE must not be in memory/)
  const terminal: Terminal = { environment, out: () => {}, err: () => {}, isInteractive: false }
  await expect(withDatabase(terminal, async () => 0)).rejects.toThrow(/must not be in memory/)
  expect(readConfig({ ...environment, ...development, NODE_ENV: '' }).database).toEqual({
    kind: 'sqlite',
    path: ':memory:',
  })
})

const counted = Uint8Array.from({ length: 32 }, (_, i) => i * 7)
const half = randomBytes(16)
it.each([
  ['all zero', Buffer.alloc(32)],
  ['one byte', Buffer.alloc(32, 0xa5)],
  ['a repeated word', Buffer.alloc(32, 'swordfish')],
  ['a passphrase', Buffer.from('correct horse battery staple 123')],
  ['hex', Buffer.from(randomBytes(16).toString('hex'))],
  ['text that is not ASCII', Buffer.from('支付服务的主密钥一二三ab').subarray(0, 32)],
  ['counted', Buffer.from(counted)],
  ['16 random bytes twice', Buffer.concat([half, half])],
  ['10 random bytes and zeros', Buffer.concat([randomBytes(10), Buffer.alloc(22)])],
])('production refuses a master key that is %s without quoting it', (_, bytes) => {
  expect(bytes).toHaveLength(32)
  const text = bytes.toString('base64')
  for (const read of [readConfig, readOperatorPaths]) {
    const attempt = (): unknown => read({ ...production, MINISEAL_MASTER_KEY: text })
    expect(attempt).toThrow(ConfigError)
    expect(attempt).toThrow(/MINISEAL_MASTER_KEY .*openssl rand -base64 32/)
    expect(attempt).not.toThrow(text)
  }
  // Of an old one nothing is wrapped any more: it must be possible to replace it.
  expect(readConfig({ ...production, MINISEAL_MASTER_KEY: `${good},${text}` }).masterKeys).toHaveLength(2)
})

it('production refuses the master key of development', () => {
  readConfig(development)
  const made = readFileSync(join(development.MINISEAL_DATA, 'master.key'), 'utf8')
  const environment = { ...production, ...development, MINISEAL_MASTER_KEY: made }
  expect(() => readConfig(environment)).toThrow(/generated in development mode/)
  expect(() => readOperatorPaths(environment)).toThrow(/generated in development mode/)
})

it('production accepts every random master key', () => {
  for (let i = 0; i < 2_000; i++) {
    const key = randomBytes(32).toString('base64')
    expect(readOperatorPaths({ ...production, MINISEAL_MASTER_KEY: key }).masterKeys).toHaveLength(1)
  }
})

it('a command reads MINISEAL_DATABASE_FILE as the service does', () => {
  expect(() => readDatabase({ MINISEAL_DATABASE_FILE: join(folder, 'absent') })).toThrow(
    /MINISEAL_DATABASE_FILE names a file that cannot be read/,
  )
})
