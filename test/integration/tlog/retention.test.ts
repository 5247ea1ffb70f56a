/** How long details are kept, as an operator writes it. */
import { expect, it } from 'vitest'
import { readConfig } from '../../../service/config/config.ts'
import { parseRetention, retentionOf } from '../../../service/tlog/settings.ts'

const day = 86_400

it('retention is 190 days for security events, one year for reads and five years for writes', () => {
  const settings = parseRetention(undefined)
  expect(retentionOf(settings, 'request', 'reads')).toEqual({ text: '1y', seconds: 365 * day })
  expect(retentionOf(settings, 'request', 'writes')).toEqual({ text: '5y', seconds: 1825 * day })
  expect(retentionOf(settings, 'outcome-unknown', 'writes').text).toBe('5y')
  expect(retentionOf(settings, 'refused', 'writes').text).toBe('190d')
  expect(retentionOf(settings, 'login', 'writes').text).toBe('190d')
  expect(retentionOf(settings, 'key-rotated', undefined).text).toBe('190d')
})

it('MINISEAL_RETENTION changes the classes that it names', () => {
  const settings = parseRetention('writes=10y, security=365d')
  expect(settings).toEqual({
    security: { text: '365d', seconds: 365 * day },
    reads: { text: '1y', seconds: 365 * day },
    writes: { text: '10y', seconds: 3650 * day },
  })
})

it.each(['', 'writes', 'writes=', 'writes=5', 'writes=0y', 'writes=5m', 'other=1y', 'reads=1y,reads=2y'])(
  'the retention %j is refused',
  (text) => {
    expect(() => parseRetention(text)).toThrow(/MINISEAL_RETENTION/)
  },
)

it('an invalid retention is reported among the errors of a configuration', () => {
  const environment = { MINISEAL_DATABASE: 'sqlite::memory:', MINISEAL_RETENTION: 'writes=for ever' }
  expect(() => readConfig(environment)).toThrow(/MINISEAL_RETENTION/)
})
