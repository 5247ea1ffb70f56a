import { LogError } from '../../../crypto/errors.ts'

/** The reason for which `run` finds the log wrong, `undefined` when it does not. Any other error passes. */
export function reasonOf(run: () => unknown): string | undefined {
  try {
    run()
  } catch (error) {
    if (error instanceof LogError) return error.reason
    throw error
  }
  return undefined
}
