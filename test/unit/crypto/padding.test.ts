import fc from 'fast-check'
import { expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import { encodeRequest, parseRequest } from '../../../crypto/frames/binary-http.ts'
import { paddedLength, padMessage } from '../../../crypto/frames/padding.ts'
import { unsigned } from './fixed-inputs.ts'

/** Padmé as the paper writes it, with its bit mask (PURBs, Nikitin et al. 2019, algorithm 1). */
function padme(length: number): number {
  const exponent = Math.floor(Math.log2(length))
  const zeroBits = exponent - (Math.floor(Math.log2(exponent)) + 1)
  const mask = 2 ** zeroBits - 1
  return Number((BigInt(length) + BigInt(mask)) & ~BigInt(mask))
}

it('paddedLength is the Padmé of the paper above the minimum', () => {
  fc.assert(
    fc.property(fc.integer({ min: 257, max: 0x7fffffff }), (length) => {
      expect(paddedLength(length)).toBe(padme(length))
    }),
    { numRuns: 2000 },
  )
  for (let length = 257; length < 5000; length++) expect(paddedLength(length)).toBe(padme(length))
})

it('paddedLength adds 0 to 12 % and is idempotent', () => {
  fc.assert(
    fc.property(fc.integer({ min: 257, max: 0x7fffffff }), (length) => {
      const padded = paddedLength(length)
      expect(padded).toBeGreaterThanOrEqual(length)
      expect(padded / length).toBeLessThanOrEqual(1.12)
      if (padded < 2 ** 31) expect(paddedLength(padded)).toBe(padded)
    }),
  )
})

it('paddedLength has 129 values up to 64 KiB', () => {
  const seen = new Set(Array.from({ length: 65536 }, (_, length) => paddedLength(length)))
  expect(seen.size).toBe(1 + 8 * 16)
})

it.each([-1, 0.5, 2 ** 31, Number.NaN, Number.POSITIVE_INFINITY])('paddedLength refuses %d', (length) => {
  expect(() => paddedLength(length)).toThrow(FormatError)
})

it('padMessage keeps the message and adds zeros only', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 700 }), (message) => {
      const padded = padMessage(message)
      expect(padded).toHaveLength(paddedLength(message.length))
      expect(padded.slice(0, message.length)).toEqual(message)
      expect(padded.slice(message.length).every((byte) => byte === 0)).toBe(true)
    }),
  )
})

it('padMessage does not change the parsed message', () => {
  const encoded = encodeRequest(unsigned.transfer)
  expect(parseRequest(padMessage(encoded))).toEqual(unsigned.transfer)
})

it('padMessage returns a copy even when it adds nothing', () => {
  const message = new Uint8Array(256).fill(1)
  padMessage(message)[0] = 2
  expect(message[0]).toBe(1)
})
