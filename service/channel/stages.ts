/** How long each stage of an exchange took, the one that refused included. */

/** The stages that are measured: the lines of `exchange.ts`. */
export type Stage = 'open' | 'verify' | 'login' | 'token' | 'claim' | 'handler' | 'seal'

/** Sees an exchange while it runs. Neither may throw. */
export interface ExchangeTrace {
  /** Runs one exchange; throws what it throws. */
  run<T>(exchange: () => Promise<T>): Promise<T>
  /** A stage begins, and the one before it ends. */
  begin(stage: Stage): void
}

/** Nobody looks. */
export const untracedExchange: ExchangeTrace = { run: (exchange) => exchange(), begin: () => {} }

export interface StageTime {
  readonly stage: Stage
  readonly durationMs: number
}

/** A clock of one exchange. Stages follow each other: each one begins where the one before ends. */
export class StageClock {
  readonly #times: StageTime[] = []
  readonly #trace: ExchangeTrace
  #running: { readonly stage: Stage; readonly since: number } | undefined

  constructor(trace: ExchangeTrace) {
    this.#trace = trace
  }

  /** Ends the stage that runs, if any, and begins the next. */
  begin(stage: Stage): void {
    const now = performance.now()
    this.#end(now)
    this.#running = { stage, since: now }
    this.#trace.begin(stage)
  }

  /** Ends the stage that runs. @returns every stage so far, in order. */
  stop(): readonly StageTime[] {
    this.#end(performance.now())
    this.#running = undefined
    return this.#times
  }

  #end(now: number): void {
    if (this.#running === undefined) return
    const { stage, since } = this.#running
    this.#times.push({ stage, durationMs: now - since })
  }
}
