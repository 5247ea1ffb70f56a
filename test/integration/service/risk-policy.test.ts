/** How an operator writes what a login gets for its risk. */
import { expect, it } from 'vitest'
import { readConfig } from '../../../service/config/config.ts'
import { ConfigError } from '../../../service/config/environment.ts'
import { parseRiskPolicy } from '../../../service/sessions/risk-policy.ts'

const policy = '0=allow,1=allow,2=allow,3=step-up,4=refuse,unavailable=allow'

it.each([
  ['allow', /must be a comma list/],
  ['0=allow,1=allow,2=allow,3=step-up,4=refuse', /does not name unavailable/],
  [policy.replace('2=allow,', ''), /does not name 2/],
  [`${policy},0=refuse`, /names 0 twice/],
  [policy.replace('4=refuse', '4=block'), /must be a comma list/],
  [policy.replace('4=', '5='), /must be a comma list/],
  [policy.replace('0=', '00='), /must be a comma list/],
  [`${policy},`, /must be a comma list/],
])('is refused: %s', (text, message) => {
  expect(() => parseRiskPolicy(text)).toThrow(message)
})

it('stops the start when it cannot be read', () => {
  expect(() => readConfig({ MINISEAL_RISK_POLICY: '4=refuse' })).toThrow(ConfigError)
})

it('may be spaced and in any order', () => {
  expect(parseRiskPolicy(' unavailable=refuse , 4=refuse,3=step-up, 2=allow,1=allow,0=allow')).toEqual({
    0: 'allow',
    1: 'allow',
    2: 'allow',
    3: 'step-up',
    4: 'refuse',
    unavailable: 'refuse',
  })
})

it('is off when nothing is said', () => {
  expect(parseRiskPolicy(undefined)).toBeUndefined()
})
