import { expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import {
  authorityOf,
  signConfiguration,
  verifyConfiguration,
} from '../../../crypto/frames/channel-configuration.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { configuration, jws } from '../../conformance/vectors/make/configuration.ts'
import { codeOf } from './code-of.ts'
import { now, root, stranger } from './fixed-inputs.ts'

const roots = [root.publicKey]

it('verifyConfiguration returns the signed configuration without unknown members', () => {
  expect(verifyConfiguration(primitives, jws, roots, now)).toEqual(configuration)
})

it('verifyConfiguration returns the keys of ended logs in their order', () => {
  const log = { ...configuration.log, ended: ['b', 'a'] }
  const text = signConfiguration(primitives, { ...configuration, log }, root)
  expect(verifyConfiguration(primitives, text, roots, now).log).toEqual(log)
})

it('verifyConfiguration accepts each of several pinned roots', () => {
  const both = [root.publicKey, stranger.publicKey]
  const other = signConfiguration(primitives, configuration, stranger)
  for (const text of [jws, other])
    expect(verifyConfiguration(primitives, text, both, now)).toEqual(configuration)
})

it('verifyConfiguration refuses every key when no root is pinned', () => {
  expect(codeOf(() => verifyConfiguration(primitives, jws, [], now))).toBe('key_unknown')
})

it('verifyConfiguration refuses any changed character of the JWS', () => {
  for (let i = 0; i < jws.length; i++) {
    const changed = `${jws.slice(0, i)}${jws[i] === 'A' ? 'B' : 'A'}${jws.slice(i + 1)}`
    expect(
      codeOf(() => verifyConfiguration(primitives, changed, roots, now)),
      `at ${i}`,
    ).toMatch(/^(?:payload_invalid|key_unknown|signature_invalid)$/)
  }
})

it.each([
  ['https://pay.example.com', 'pay.example.com'],
  ['https://pay.example.com:443', 'pay.example.com'],
  ['https://pay.example.com:8443', 'pay.example.com:8443'],
  ['https://pay.example.com:80', 'pay.example.com:80'],
  ['http://127.0.0.1', '127.0.0.1'],
  ['http://127.0.0.1:80', '127.0.0.1'],
  ['http://[::1]:3000', '[::1]:3000'],
])('authorityOf maps %s to %s', (origin, authority) => expect(authorityOf(origin)).toBe(authority))

it.each([
  'pay.example.com',
  'https://',
  'https://pay.example.com/',
  'https://pay.example.com?x',
  'https://pay.example.com#x',
  'https://u:p@pay.example.com',
  'https://Pay.example.com',
  'HTTPS://pay.example.com',
  'https://pay.example.com:',
  'https://pay.example.com:080',
  'https://pay.example.com:443443',
  'ftp://pay.example.com',
  ' https://pay.example.com',
  'https://pay.example.com\n',
])('authorityOf refuses %j', (origin) => expect(() => authorityOf(origin)).toThrow(FormatError))
