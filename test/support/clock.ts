/** The clock and the deadlines of the test's own process. */
import { onTestFinished, vi } from 'vitest'

/** Moves `Date.now` forward until the test ends. */
export function advanceDate(milliseconds: number): void {
  const atStart = Date.now() + milliseconds - performance.now()
  const spy = vi.spyOn(Date, 'now').mockImplementation(() => Math.floor(atStart + performance.now()))
  onTestFinished(() => spy.mockRestore())
}

/** Divides the milliseconds of `AbortSignal.timeout` until the test ends. @returns a spy on them */
export function shortenDeadlines(divisor: number): typeof AbortSignal.timeout {
  const { timeout } = AbortSignal
  const spy = vi
    .spyOn(AbortSignal, 'timeout')
    .mockImplementation((ms) => timeout.call(AbortSignal, ms / divisor))
  onTestFinished(() => spy.mockRestore())
  return spy
}
