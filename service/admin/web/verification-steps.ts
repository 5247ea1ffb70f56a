/** The steps of a verification, as they are shown. */

/** In the order in which they are taken. */
export type StepName = 'leaf' | 'groups' | 'hash' | 'path' | 'checkpoint' | 'deviceKey' | 'device' | 'base'

/** What came of a step, and what was compared with what. */
export interface Step {
  readonly name: StepName
  /** `skipped`: there is nothing to check, or it is not shown. */
  readonly outcome: 'good' | 'bad' | 'skipped'
  /** Why, as the name of a text; the texts are of the language. */
  readonly because?: string
  readonly compared?: readonly Comparison[]
}

/** Two values that must be the same. */
export interface Comparison {
  readonly of: string
  readonly stated: string
  readonly computed: string
}

/** A step that compares: good when all pairs are the same. */
export function compare(name: StepName, compared: readonly Comparison[], because?: string): Step {
  const isGood = compared.every(({ stated, computed }) => stated === computed)
  return { name, outcome: isGood ? 'good' : 'bad', compared, ...(because === undefined ? {} : { because }) }
}
