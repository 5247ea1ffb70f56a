/** The results of a run, also the format of `--json`. */
import type { CompareFigures } from './sections/compare.ts'
import type { FloorFigures } from './sections/floor.ts'
import type { GrowthFigures } from './sections/growth.ts'
import type { HalfLoadFigures } from './sections/half-load.ts'
import type { OursFigures } from './sections/ours.ts'
import type { WireRow } from './sections/wire.ts'

export interface Machine {
  readonly at: string
  readonly commit: string
  readonly processors: string
  readonly cores: number
  readonly node: string
  /** Load average of the minute before the run. */
  readonly load: number
  /** The command line of this run. */
  readonly command: string
}

/** Only the selected sections are present. */
export interface Results {
  readonly machine: Machine
  readonly floor?: FloorFigures | undefined
  readonly ours?: OursFigures | undefined
  readonly halfLoad?: HalfLoadFigures | undefined
  readonly compared?: CompareFigures | undefined
  readonly growth?: GrowthFigures | undefined
  readonly wire?: readonly WireRow[] | undefined
  /** Problems of the measurement itself. */
  readonly warnings: readonly string[]
}
