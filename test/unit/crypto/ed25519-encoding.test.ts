import { expect, test } from 'vitest'
import {
  hasSmallOrder,
  isCanonicalPoint,
  isCanonicalScalar,
} from '../../../crypto/primitives/ed25519-encoding.ts'
import { littleEndian, smallOrderEncodings } from './crafted-signatures.ts'

const groupOrder = (1n << 252n) + 27742317777372353535851937790883648493n
const fieldPrime = (1n << 255n) - 19n
const signBit = 1n << 255n

test('scalars below the group order are canonical', () => {
  for (const value of [0n, 1n, 1n << 252n, groupOrder - 256n, groupOrder - 1n]) {
    expect(isCanonicalScalar(littleEndian(value))).toBe(true)
  }
})

test('scalars from the group order on are not canonical', () => {
  for (const value of [
    groupOrder,
    groupOrder + 1n,
    groupOrder * 2n,
    1n << 253n,
    1n << 255n,
    (1n << 256n) - 1n,
  ]) {
    expect(isCanonicalScalar(littleEndian(value))).toBe(false)
  }
})

test('scalars of another length are not canonical', () => {
  for (const length of [0, 31, 33, 64]) expect(isCanonicalScalar(new Uint8Array(length))).toBe(false)
})

test('points with y below p are canonical, with either sign', () => {
  for (const y of [0n, 1n, fieldPrime - 256n, fieldPrime - 1n]) {
    expect(isCanonicalPoint(littleEndian(y))).toBe(true)
    expect(isCanonicalPoint(littleEndian(y + signBit))).toBe(true)
  }
})

test('points with y from p on are not canonical, with either sign', () => {
  for (let y = fieldPrime; y < signBit; y++) {
    expect(isCanonicalPoint(littleEndian(y))).toBe(false)
    expect(isCanonicalPoint(littleEndian(y + signBit))).toBe(false)
  }
})

test('points of another length are neither canonical nor of small order', () => {
  for (const length of [0, 31, 33]) {
    expect(isCanonicalPoint(new Uint8Array(length))).toBe(false)
    expect(hasSmallOrder(new Uint8Array(length))).toBe(false)
  }
})

test('hasSmallOrder detects every encoding of a small-order point and no other point', () => {
  for (const encoding of smallOrderEncodings) expect(hasSmallOrder(encoding)).toBe(true)
  for (const y of [2n, 3n, fieldPrime - 2n, fieldPrime + 2n])
    expect(hasSmallOrder(littleEndian(y))).toBe(false)
})

test('isCanonicalPoint and hasSmallOrder do not change their argument', () => {
  const encoding = littleEndian(signBit)
  isCanonicalPoint(encoding)
  hasSmallOrder(encoding)
  expect(encoding).toEqual(littleEndian(signBit))
})
