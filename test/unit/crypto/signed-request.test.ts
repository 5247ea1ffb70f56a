import { expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import type { RequestMessage } from '../../../crypto/frames/binary-http.ts'
import { encodeRequest, findField, parseRequest } from '../../../crypto/frames/binary-http.ts'
import {
  assertContentDigest,
  assertInWindow,
  assertSignature,
  parseRequestSignature,
  signRequest,
} from '../../../crypto/http-signatures/signed-request.ts'
import { encodeBase64Url } from '../../../crypto/text.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { codeOf } from './code-of.ts'
import { device, fixed, now, signed, stranger, unsigned, window } from './fixed-inputs.ts'
import { changed, without } from './handmade-signatures.ts'

const nonce = fixed('a nonce', 16)

/** All that `crypto/` checks of a request, in the order of the protocol. */
function judge(message: RequestMessage): void {
  const read = parseRequest(encodeRequest(message))
  const signature = parseRequestSignature(read)
  assertInWindow(signature, now, window)
  assertContentDigest(primitives, read)
  assertSignature(primitives, signature, device.publicKey)
}

it('signRequest appends the digest and the two signature fields', () => {
  const message = signed('transfer')
  expect(message.fields.map(([name]) => name)).toEqual([
    'content-type',
    'authorization',
    'idempotency-key',
    'content-digest',
    'signature-input',
    'signature',
  ])
  expect({ ...message, fields: [] }).toEqual({ ...unsigned.transfer, fields: [] })
})

it('signRequest covers the components of the protocol in its order', () => {
  expect(findField(signed('everything').fields, 'signature-input')).toBe(
    'sig=("@method" "@authority" "@path" "@query" "content-type" "content-encoding" "content-digest" ' +
      `"authorization" "idempotency-key" "if-none-match" "step-up");created=${now};` +
      `nonce="${encodeBase64Url(fixed('everything nonce', 16))}";keyid="${device.keyid}";tag="miniseal"`,
  )
})

it('signRequest omits the digest without content, and absent fields', () => {
  const message = signed('read')
  expect(findField(message.fields, 'content-digest')).toBeUndefined()
  expect(findField(message.fields, 'signature-input')).toMatch(
    /^sig=\("@method" "@authority" "@path" "@query" "authorization"\);created=/,
  )
})

it('signRequest replaces an existing digest', () => {
  const withDigest: RequestMessage = {
    ...unsigned.transfer,
    fields: [['content-digest', 'sha-256=:AA==:'], ...unsigned.transfer.fields],
  }
  expect(() => judge(signRequest(primitives, withDigest, device, now, nonce))).not.toThrow()
})

it('signRequest refuses content without content-type', () => {
  const undescribed = without(unsigned.transfer, 'content-type')
  expect(codeOf(() => signRequest(primitives, undescribed, device, now, nonce))).toBe('components_incomplete')
})

it('signRequest refuses a path that is not canonical', () => {
  const ambiguous = { ...unsigned.transfer, path: '/wallet/../transfers' }
  expect(() => signRequest(primitives, ambiguous, device, now, nonce)).toThrow(FormatError)
})

it('signRequest does not change its argument', () => {
  const before = structuredClone(unsigned.transfer)
  signRequest(primitives, unsigned.transfer, device, now, nonce)
  expect(unsigned.transfer).toEqual(before)
})

it('parseRequestSignature returns the parameters, the signature and its base', () => {
  const message = signed('search')
  const signature = parseRequestSignature(message)
  expect(signature).toMatchObject({ created: now, nonce: fixed('search nonce', 16), keyid: device.keyid })
  expect(signature.base).toBe(
    '"@method": GET\n"@authority": pay.example.com\n"@path": /wallet/transfers\n' +
      '"@query": ?limit=20&after=%E5%8D%88\n"authorization": HTTPSig eyJ0eXAiOiJhdCtqd3QifQ.e30.AA\n' +
      `"if-none-match": "a1"\n"@signature-params": ${(findField(message.fields, 'signature-input') ?? '').slice(4)}`,
  )
})

it('parseRequestSignature represents an absent query by a question mark', () => {
  expect(parseRequestSignature(signed('read')).base).toContain('\n"@query": ?\n')
})

it('parseRequestSignature ignores signatures with another label and tag', () => {
  const message = changed(signed('read'), 'signature-input', (value) => `${value}, old=();tag="x"`)
  expect(() => judge(message)).not.toThrow()
})

it('parseRequestSignature refuses a field with a line break with components_incomplete', () => {
  const message = changed(signed('transfer'), 'idempotency-key', () => '"one"\n"two"')
  expect(codeOf(() => parseRequestSignature(message))).toBe('components_incomplete')
})

it('assertSignature accepts the key that signed and no other', () => {
  const signature = parseRequestSignature(signed('transfer'))
  expect(codeOf(() => assertSignature(primitives, signature, device.publicKey))).toBeUndefined()
  expect(codeOf(() => assertSignature(primitives, signature, stranger.publicKey))).toBe('signature_invalid')
})

it.each([
  [-121, 'window_invalid'],
  [-120, undefined],
  [0, undefined],
  [10, undefined],
  [11, 'window_invalid'],
])('assertInWindow for an offset of %i seconds gives %s', (offset, code) => {
  const signature = parseRequestSignature(signed('read', now + offset))
  expect(codeOf(() => assertInWindow(signature, now, window))).toBe(code)
})
