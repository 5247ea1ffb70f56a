import { calculateJwkThumbprint } from 'jose'
import { describe, expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import { keyThumbprint } from '../../../crypto/primitives/thumbprint.ts'
import { decodeBase64Url, encodeBase64Url } from '../../../crypto/text.ts'
import { fixed } from './fixed-inputs.ts'
import { namedImplementations } from './implementations.ts'

describe.each(namedImplementations)('keyThumbprint with %s', (_, primitives) => {
  it('keyThumbprint gives the thumbprint of RFC 8037, appendix A.3', () => {
    const key = decodeBase64Url('11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo')
    expect(keyThumbprint(primitives, key)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
  })

  it.each(['Ed25519', 'X25519'] as const)(
    'keyThumbprint gives the thumbprint of jose for %s',
    async (crv) => {
      for (const name of ['one', 'two', 'three']) {
        const key = fixed(name)
        const jwk = { kty: 'OKP', crv, x: encodeBase64Url(key) }
        expect(keyThumbprint(primitives, key, crv)).toBe(await calculateJwkThumbprint(jwk))
      }
    },
  )

  it('keyThumbprint depends on the curve', () => {
    const key = fixed('one')
    expect(keyThumbprint(primitives, key, 'X25519')).not.toBe(keyThumbprint(primitives, key, 'Ed25519'))
  })

  it.each([0, 31, 33, 64])('keyThumbprint refuses a key of %i bytes', (length) => {
    expect(() => keyThumbprint(primitives, new Uint8Array(length))).toThrow(FormatError)
  })
})
