/** Concurrent calls for the same key share one run and its result. */

/** Runs `run`, or joins the run of the same key that is still under way. Nothing is kept after it ends. */
export type SingleFlight<T> = (key: string, run: () => Promise<T>) => Promise<T>

export function createSingleFlight<T>(): SingleFlight<T> {
  const inFlight = new Map<string, Promise<T>>()
  return (key, run) => {
    const running = inFlight.get(key)
    if (running !== undefined) return running
    const flight = run().finally(() => inFlight.delete(key))
    inFlight.set(key, flight)
    return flight
  }
}
