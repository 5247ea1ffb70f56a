/** A loop: runs its work periodically and on notification, one run at a time. */

export interface LoopTimes {
  /** Minimum time between the starts of two runs; milliseconds. */
  readonly pause: number
  /** From the end of a run to the next run without a notification; milliseconds. */
  readonly period: number
}

export interface Loop {
  /** Runs the work soon; during a run, again after it. */
  notify(): void
  /** Stops the loop; resolves after a current run. */
  stop(): Promise<void>
}

/** @param work never throws */
export function startLoop(work: () => Promise<void>, { pause, period }: LoopTimes): Loop {
  let timer: NodeJS.Timeout | undefined
  let dueAt = Number.POSITIVE_INFINITY
  let startedAt = Number.NEGATIVE_INFINITY
  let running: Promise<void> | undefined
  let isNotified = false
  let isStopped = false
  const schedule = (delay: number): void => {
    const at = performance.now() + delay
    if (isStopped || running !== undefined || at >= dueAt) return
    clearTimeout(timer)
    dueAt = at
    timer = setTimeout(run, delay)
    timer.unref()
  }
  const run = (): void => {
    dueAt = Number.POSITIVE_INFINITY
    startedAt = performance.now()
    isNotified = false
    running = work().finally(() => {
      running = undefined
      if (isNotified) notify()
      else schedule(period)
    })
  }
  const notify = (): void => {
    isNotified = true
    schedule(Math.max(0, startedAt + pause - performance.now()))
  }
  schedule(period)
  return {
    notify,
    async stop() {
      isStopped = true
      clearTimeout(timer)
      await running
    },
  }
}
