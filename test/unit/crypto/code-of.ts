import { LogError, ProtocolError } from '../../../crypto/errors.ts'

/** The code with which `run` refuses, `undefined` when it does not. Any other error, FormatError too, passes. */
export function codeOf(run: () => unknown): string | undefined {
  try {
    run()
  } catch (error) {
    if (error instanceof ProtocolError) return error.code
    throw error
  }
  return undefined
}

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
