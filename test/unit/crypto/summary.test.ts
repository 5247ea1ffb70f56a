import { expect, it } from 'vitest'
import { maxSummaryLength, summaryFault } from '../../../crypto/summary.ts'

it('a summary may contain text of any language, digits and emoji', () => {
  for (const text of [
    '2,000.00 元，转账给 bob',
    '¥5 → 王小明',
    'Ł é ß Ω',
    '🎉'.repeat(21),
    'مرحبا',
    'DELETE /limits',
  ])
    expect(summaryFault(text), text).toBeUndefined()
})

it('a summary contains no control or format character, line end, ignorable code point or surrogate', () => {
  const refused = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{DI}]/u
  for (let point = 0; point <= 0x10ffff; point++) {
    const text = String.fromCodePoint(point)
    const isRefused = refused.test(text)
    const fault = summaryFault(`1${text}2`)
    if (isRefused !== (fault !== undefined))
      throw new Error(`U+${point.toString(16)}: ${fault ?? 'accepted'}`)
  }
})

it('a summary with a lone surrogate is refused', () => {
  for (const text of ['\ud800', 'a\udc00', '\udc00a', '\ud800a', '😀\udc00', '\ud83d😀'])
    expect(summaryFault(text), JSON.stringify(text)).toBeDefined()
})

it('a summary is neither empty nor longer than the prompt', () => {
  expect(summaryFault('')).toBeDefined()
  expect(summaryFault('元'.repeat(maxSummaryLength))).toBeUndefined()
  expect(summaryFault('元'.repeat(maxSummaryLength + 1))).toContain('42')
})
