/** Amounts as people type and read them. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { fenParts, formatFen, parseFen } from '../../../miniprogram/app/money/fen.ts'

it.each([
  ['0', 0],
  ['0.01', 1],
  ['1', 100],
  ['1.', 100],
  ['1.5', 150],
  ['1234.56', 123_456],
  [' 12.30 ', 1230],
  ['999999999.99', 99_999_999_999],
])('parseFen reads %j as %i fen', (text, fen) => {
  expect(parseFen(text)).toBe(fen)
})

it.each([
  '',
  '.',
  '.5',
  '-1',
  '+1',
  '01',
  '1.234',
  '1,000',
  '1e3',
  '0x10',
  '１２',
  '1 000',
  'NaN',
  '1.2.3',
  '9999999999',
])('parseFen refuses %j', (text) => {
  expect(parseFen(text)).toBeUndefined()
})

it('formatFen writes separators and two decimals', () => {
  expect(formatFen(0)).toBe('0.00')
  expect(formatFen(5)).toBe('0.05')
  expect(formatFen(123_456_789)).toBe('1,234,567.89')
  expect(formatFen(-100)).toBe('−1.00')
  expect(fenParts(-1_000_001)).toEqual({ sign: '−', whole: '10,000', decimals: '01' })
})

it('parseFen reads every formatted amount', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 99_999_999_999 }), (fen) => {
      expect(parseFen(formatFen(fen).replaceAll(',', ''))).toBe(fen)
    }),
  )
})
