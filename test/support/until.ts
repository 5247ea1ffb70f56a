/** Waits with an upper bound. */
import { setTimeout as sleep } from 'node:timers/promises'

/** Polls `look` until it returns true. @throws Error after `within` milliseconds. */
export async function until(look: () => boolean | Promise<boolean>, within = 20_000): Promise<void> {
  const startedAt = performance.now()
  while (!(await look())) {
    if (performance.now() - startedAt > within) throw new Error(`not within ${within} ms`)
    await sleep(5)
  }
}

/** The value of `promise`. @throws Error after `within` milliseconds. */
export async function eventually<T>(promise: Promise<T>, within = 20_000): Promise<T> {
  const timeout = sleep(within, undefined, { ref: false }).then(() => {
    throw new Error(`not within ${within} ms`)
  })
  return await Promise.race([promise, timeout])
}
