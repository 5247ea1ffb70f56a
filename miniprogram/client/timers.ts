/** Waiting. Phones have timers, and no other clock that runs by itself. */

declare const setTimeout: (run: () => void, milliseconds: number) => unknown
declare const clearTimeout: (timer: unknown) => void

/** A wait that can be cut short. */
export interface Pause {
  readonly over: Promise<void>
  end(): void
}

export function startPause(milliseconds: number): Pause {
  let end = (): void => {}
  const over = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    end = () => {
      clearTimeout(timer)
      resolve()
    }
  })
  return { over, end }
}

/** @throws whatever `late` makes, when `work` is not done in time. What it does later is not looked at. */
export function withDeadline<T>(work: Promise<T>, milliseconds: number, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), milliseconds)
    work.then(resolve, reject).then(() => clearTimeout(timer))
  })
}
