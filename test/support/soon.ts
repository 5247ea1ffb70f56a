/** Waiting for what happens soon, or not at all. */
import { setTimeout as sleep } from 'node:timers/promises'

/** Resolves once `look` gives true. @throws Error after `within` milliseconds. */
export async function until(look: () => boolean, within = 60_000): Promise<void> {
  const startedAt = performance.now()
  while (!look()) {
    if (performance.now() - startedAt > within) throw new Error(`not within ${within} ms`)
    await sleep(5)
  }
}

/** What `promise` gives. @throws Error after `within` milliseconds. */
export async function eventually<T>(promise: Promise<T>, within = 60_000): Promise<T> {
  const late = sleep(within, undefined, { ref: false }).then(() => {
    throw new Error(`not within ${within} ms`)
  })
  return await Promise.race([promise, late])
}
