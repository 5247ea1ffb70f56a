import { ProtocolError } from '../../../crypto/errors.ts'

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
