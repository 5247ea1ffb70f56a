/** How long each stage of an exchange took, the one that refused included. */

/** The stages that are measured: the lines of `exchange.ts`. */
export type Stage = 'open' | 'verify' | 'login' | 'token' | 'claim' | 'handler' | 'seal'

export interface StageTime {
  readonly stage: Stage
  readonly durationMs: number
}

/** A clock of one exchange. Stages follow each other: each one begins where the one before ends. */
export class StageClock {
  readonly #times: StageTime[] = []
  #running: { readonly stage: Stage; readonly since: number } | undefined

  /** Ends the stage that runs, if any, and begins the next. */
  begin(stage: Stage): void {
    const now = performance.now()
    this.#end(now)
    this.#running = { stage, since: now }
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
