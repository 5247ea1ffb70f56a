/** The syntax of `MINISEAL_RISK_POLICY`. */
import { expect, it } from 'vitest'
import { readConfig } from '../../../service/config/config.ts'
import { ConfigError } from '../../../service/config/environment.ts'
import { parseRiskPolicy } from '../../../service/sessions/risk-policy.ts'

const policy = '0=allow,1=allow,2=allow,3=step-up,4=refuse,unavailable=allow'

it.each([
  ['allow', /must assign one of/],
  ['0=allow,1=allow,2=allow,3=step-up,4=refuse', /does not name unavailable/],
  [policy.replace('2=allow,', ''), /does not name 2/],
  [`${policy},0=refuse`, /names 0 twice/],
  [policy.replace('4=refuse', '4=block'), /must assign one of/],
  [policy.replace('4=', '5='), /must assign one of/],
  [policy.replace('0=', '00='), /must assign one of/],
  [`${policy},`, /must assign one of/],
])('a risk policy is refused: %s', (text, message) => {
  expect(() => parseRiskPolicy(text)).toThrow(message)
})

it('the service does not start with an invalid risk policy', () => {
  expect(() => readConfig({ MINISEAL_RISK_POLICY: '4=refuse' })).toThrow(ConfigError)
})

it('the cases of a risk policy may have spaces and any order', () => {
  expect(parseRiskPolicy(' unavailable=refuse , 4=refuse,3=step-up, 2=allow,1=allow,0=allow')).toEqual({
    0: 'allow',
    1: 'allow',
    2: 'allow',
    3: 'step-up',
    4: 'refuse',
    unavailable: 'refuse',
  })
})

it('an absent risk policy means none', () => {
  expect(parseRiskPolicy(undefined)).toBeUndefined()
})
