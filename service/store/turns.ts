/** Fair scheduling of long synchronous work: at most one step in each turn of the event loop, for the whole process. */

const waiting: (() => void)[] = []

/** Resolves in a turn of the event loop in which no other step runs, first come first served. I/O runs in between. */
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
