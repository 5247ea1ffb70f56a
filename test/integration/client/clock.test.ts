import { describe, expect, it } from 'vitest'
import { Clock } from '../../../miniprogram/client/clock.ts'

describe('the clock', () => {
  it('uses the phone’s clock until it is synchronized', () => {
    expect(new Clock(() => 1_764_000_000_999).seconds()).toBe(1_764_000_000)
  })

  it('adopts the service’s time and continues with the phone’s clock', () => {
    let now = 1_000_000_000_000
    const clock = new Clock(() => now)
    clock.synchronize(1_764_000_000)
    expect(clock.seconds()).toBe(1_764_000_000)
    now += 90_000
    expect(clock.seconds()).toBe(1_764_000_090)
    clock.synchronize(1_764_000_000)
    expect(clock.seconds()).toBe(1_764_000_000)
  })

  it('ignores differences within network latency', () => {
    const clock = new Clock(() => 1_764_000_000_000)
    clock.synchronize(1_763_999_995)
    expect(clock.seconds()).toBe(1_764_000_000)
    clock.synchronize(1_763_999_994)
    expect(clock.seconds()).toBe(1_763_999_994)
  })
})
