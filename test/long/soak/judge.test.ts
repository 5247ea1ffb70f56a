/** What a soak calls growth, and what it does not. */
import { describe, expect, it } from 'vitest'
import { allowances, judge, type Series } from './judge.ts'

const mebibyte = 1024 * 1024

/** `count` samples of a 60 MiB heap, five seconds apart, with noise; `more` is the growth by time. */
function heaps(more: (at: number) => number, count = 60): Series {
  const points = Array.from({ length: count }, (_, i) => {
    const noise = (((i * 7919) % 13) - 6) * 0.3
    return { at: i * 5, value: (60 + noise + more(i * 5)) * mebibyte }
  })
  return { name: 'heap', unit: 'MiB', points, allowed: allowances.heap }
}

describe('the judge of a soak', () => {
  it('passes what goes up and down', () => {
    expect(judge(heaps(() => 0)).hasGrown).toBe(false)
  })

  it('passes what rises while it warms up, and then stays', () => {
    expect(judge(heaps((at) => Math.min(at, 120) / 2)).hasGrown).toBe(false)
  })

  it('fails a steady leak of 4 MiB a minute', () => {
    const { hasGrown, rise } = judge(heaps((at) => at / 15))
    expect(hasGrown).toBe(true)
    expect(rise / mebibyte).toBeCloseTo(9.7, 0)
  })

  it('fails a leak that begins in the second half', () => {
    expect(judge(heaps((at) => Math.max(0, at - 150) / 10)).hasGrown).toBe(true)
  })

  it('is not misled by single outliers', () => {
    expect(judge(heaps((at) => (at > 250 && at % 20 === 0 ? 200 : 0))).hasGrown).toBe(false)
  })

  it('does not judge a handful of points', () => {
    expect(() => judge(heaps(() => 0, 10))).toThrow(/too few/)
  })
})
