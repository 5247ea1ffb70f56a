/** Long work in steps: at most one step in each turn of the event loop, whoever the work is for. */

const waiting: (() => void)[] = []

/**
 * Resolves in a turn of the event loop in which no other step runs, in the order of asking. Whatever else is ready, a
 * payment or `/healthz`, runs before it. One queue for the process, as there is one loop.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(runNext)
  })
}

function runNext(): void {
  const step = waiting.shift()
  if (waiting.length > 0) setImmediate(runNext)
  step?.()
}
