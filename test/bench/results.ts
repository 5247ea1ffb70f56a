/** What a run has found, as it is written to a file too. */
import type { OursFigures } from './sections/ours.ts'

export interface Machine {
  readonly at: string
  readonly commit: string
  readonly processors: string
  readonly cores: number
  readonly node: string
  /** Of the minute before the run began. */
  readonly load: number
}

export interface Results {
  readonly machine: Machine
  readonly ours?: OursFigures | undefined
  readonly warnings: readonly string[]
}
