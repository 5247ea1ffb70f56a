/** Parsing of limits and client addresses. */
import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { readConfig } from '../../../service/config/config.ts'
import { ConfigError } from '../../../service/config/environment.ts'
import { sourceOf } from '../../../service/limits/client-address.ts'
import { createWindow } from '../../../service/limits/rate-limits.ts'
import { production } from '../../support/service.ts'

const environment = { MINISEAL_MASTER_KEY: randomBytes(32).toString('base64') }

it('limits that are not named keep their default, which is tighter in production', () => {
  const { limits, trustedProxies } = readConfig({
    ...environment,
    MINISEAL_LIMITS: 'handshake_ip=30/10, in_flight=7',
    MINISEAL_TRUSTED_PROXIES: '1',
  })
  const defaults = readConfig(environment)
  expect(trustedProxies).toBe(1)
  expect(defaults.trustedProxies).toBe(0)
  expect(limits).toEqual({
    ...defaults.limits,
    handshake_ip: { count: 30, seconds: 10 },
    in_flight: 7,
  })
  const { limits: stricter } = readConfig(production)
  expect(stricter.handshake_ip.count).toBeLessThan(defaults.limits.handshake_ip.count)
})

it.each([
  ['nothing=1/60', 'must be a comma list'],
  ['user', 'must be a comma list'],
  ['user=1', 'must be a comma list'],
  ['user=1/2/3', 'must be a comma list'],
  ['user=0/60', 'must be a comma list'],
  ['user=1/0', 'must be a comma list'],
  ['user=-1/60', 'must be a comma list'],
  ['user=1e3/60', 'must be a comma list'],
  ['user=01/60', 'must be a comma list'],
  ['in_flight=10/60', 'must be a comma list'],
  ['user=1/60,', 'must be a comma list'],
  ['__proto__=1', 'must be a comma list'],
  ['user=1/60,user=2/60', 'twice'],
  ['user=1/86401', 'must not exceed a day'],
  ['body_mib=1', 'body_mib must be at least 2'],
])('the service does not start with MINISEAL_LIMITS %s', (text, words) => {
  const read = (): unknown => readConfig({ ...environment, MINISEAL_LIMITS: text })
  expect(read).toThrow(ConfigError)
  expect(read).toThrow(words)
})

it.each(['-1', '10', '1.0', 'loopback'])(
  'the service does not start with MINISEAL_TRUSTED_PROXIES %s',
  (text) => {
    const read = (): unknown => readConfig({ ...environment, MINISEAL_TRUSTED_PROXIES: text })
    expect(read).toThrow('MINISEAL_TRUSTED_PROXIES must be')
  },
)

it.each([
  ['127.0.0.1', '127.0.0.1'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['::FFFF:c000:207', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::6', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['64:ff9b::192.0.2.7', '64:ff9b:0:0::/64'],
  [undefined, 'unknown'],
])('a connection from %s counts for %s', (remote, source) => {
  expect(sourceOf(remote, '203.0.113.1', 0)).toBe(source)
})

it('a window holds a bounded number of keys and evicts the least recently used one', async () => {
  const window = createWindow({ count: 1, seconds: 60 }, 2)
  expect(await window.consume('a')).toMatchObject({ isWithin: true, remaining: 0, resetsIn: 60 })
  await window.consume('b')
  expect(await window.consume('a')).toMatchObject({ isWithin: false })
  await window.consume('c')
  expect(await window.consume('a')).toMatchObject({ isWithin: false })
  expect(await window.consume('b')).toMatchObject({ isWithin: true })
})
