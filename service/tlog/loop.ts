/** A loop that runs one task at a time, periodically and on notification. */

export interface LoopTimes {
  /** Minimum time between the starts of two runs; milliseconds. */
  readonly pause: number
  /** From the end of a run to the next one without a notification; milliseconds. */
  readonly period: number
}

export interface Loop {
  /** Runs the work soon; during a run, once more after it. */
  notify(): void
  /** Waits for a running task. Nothing runs after that. */
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
