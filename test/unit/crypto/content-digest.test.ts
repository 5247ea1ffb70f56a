import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import { contentDigest, verifyContentDigest } from '../../../crypto/http-signatures/content-digest.ts'
import { encodeUtf8 } from '../../../crypto/text.ts'

const primitives = {
  sha256: (message: Uint8Array): Uint8Array => Uint8Array.from(createHash('sha256').update(message).digest()),
}
const HELLO = encodeUtf8('{"hello": "world"}')
const HELLO_DIGEST = 'sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:'

it('contentDigest returns the digests of RFC 9530', () => {
  expect(contentDigest(primitives, HELLO)).toBe(HELLO_DIGEST)
  // RFC 9530, appendix B.1: `{"hello": "world"}` with a line feed at the end.
  expect(contentDigest(primitives, encodeUtf8('{"hello": "world"}\n'))).toBe(
    'sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:',
  )
  // The digest of nothing, which RFC 9530 suggests to sign where a body must not appear.
  expect(contentDigest(primitives, new Uint8Array(0))).toBe(
    'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:',
  )
})

it('verifyContentDigest accepts the digested content and no other', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (content, other) => {
      const field = contentDigest(primitives, content)
      expect(verifyContentDigest(primitives, field, content)).toBe(true)
      expect(verifyContentDigest(primitives, field, other)).toBe(Buffer.compare(content, other) === 0)
    }),
  )
})

it('verifyContentDigest refuses a digest with one bit flipped', () => {
  const flipped = HELLO_DIGEST.replace('X48E', 'X48F')
  expect(verifyContentDigest(primitives, flipped, HELLO)).toBe(false)
})

it.each([
  ['no digest', '', 'unsupported digest algorithm'],
  [
    'another algorithm alone',
    'sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:',
    'unsupported digest algorithm',
  ],
  [
    'another algorithm beside the right digest',
    `${HELLO_DIGEST}, md5=:YQ==:`,
    'unsupported digest algorithm',
  ],
  ['the right digest twice', `${HELLO_DIGEST}, ${HELLO_DIGEST}`, 'key repeated'],
  ['a parameter', `${HELLO_DIGEST};q=1`, 'digest is not a plain byte sequence'],
  [
    'a string',
    'sha-256="X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="',
    'digest is not a plain byte sequence',
  ],
  ['no value', 'sha-256', 'digest is not a plain byte sequence'],
  ['an inner list', `sha-256=(${HELLO_DIGEST.slice(8)})`, 'digest is not a plain byte sequence'],
  ['31 bytes', `sha-256=:${Buffer.alloc(31).toString('base64')}:`, 'digest of invalid length'],
  ['33 bytes', `sha-256=:${Buffer.alloc(33).toString('base64')}:`, 'digest of invalid length'],
  ['an upper-case algorithm', HELLO_DIGEST.toUpperCase(), 'not a key'],
  ['base64 with trailing bits', HELLO_DIGEST.replace('BPE=', 'BPF='), 'base64 with trailing bits'],
])('verifyContentDigest refuses %s', (_title, field, reason) => {
  expect(() => verifyContentDigest(primitives, field, HELLO)).toThrow(new FormatError(reason))
})
