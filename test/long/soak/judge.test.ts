/** The growth that a soak accepts and rejects. */
import { expect, it } from 'vitest'
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

it('a soak accepts a figure that rises and falls', () => {
  expect(judge(heaps(() => 0)).hasGrown).toBe(false)
})

it('a soak accepts a figure that rises during warm-up and then stays constant', () => {
  expect(judge(heaps((at) => Math.min(at, 120) / 2)).hasGrown).toBe(false)
})

it('a soak rejects a steady leak of 4 MiB per minute', () => {
  const { hasGrown, rise } = judge(heaps((at) => at / 15))
  expect(hasGrown).toBe(true)
  expect(rise / mebibyte).toBeCloseTo(9.7, 0)
})

it('a soak rejects a leak that begins in the second half', () => {
  expect(judge(heaps((at) => Math.max(0, at - 150) / 10)).hasGrown).toBe(true)
})

it('a soak ignores single outliers', () => {
  expect(judge(heaps((at) => (at > 250 && at % 20 === 0 ? 200 : 0))).hasGrown).toBe(false)
})

it('a soak refuses to judge too few points', () => {
  expect(() => judge(heaps(() => 0, 10))).toThrow(/too few/)
})
