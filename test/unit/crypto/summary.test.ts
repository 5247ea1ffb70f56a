import { describe, expect, it } from 'vitest'
import { maxSummaryLength, summaryFault } from '../../../crypto/summary.ts'

describe('a summary', () => {
  it('may hold what people write', () => {
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

  it('holds no code point that is a control or format character, a line end, ignorable, or half of one', () => {
    const refused = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{DI}]/u
    for (let point = 0; point <= 0x10ffff; point++) {
      const text = String.fromCodePoint(point)
      const isRefused = refused.test(text)
      const fault = summaryFault(`1${text}2`)
      if (isRefused !== (fault !== undefined))
        throw new Error(`U+${point.toString(16)}: ${fault ?? 'accepted'}`)
    }
  })

  it('of a lone surrogate is refused wherever it stands', () => {
    for (const text of ['\ud800', 'a\udc00', '\udc00a', '\ud800a', '😀\udc00', '\ud83d😀'])
      expect(summaryFault(text), JSON.stringify(text)).toBeDefined()
  })

  it('is neither empty nor longer than the prompt', () => {
    expect(summaryFault('')).toBeDefined()
    expect(summaryFault('元'.repeat(maxSummaryLength))).toBeUndefined()
    expect(summaryFault('元'.repeat(maxSummaryLength + 1))).toContain('42')
  })
})
