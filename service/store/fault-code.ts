/** The result code of a database or of the system, out of an error and its causes. */

const form = /^(?:SQLITE_[A-Z_]{2,40}|E[A-Z0-9]{2,20}|[0-9A-Z]{5})$/

/** How deep causes are looked at. */
const deepest = 5

/** For example `SQLITE_FULL`, `SQLITE_BUSY`, `ENOSPC`, `EIO`, or a SQLSTATE; `undefined` where there is none. */
export function faultCodeOf(error: unknown): string | undefined {
  let at = error
  for (let depth = 0; depth < deepest && at instanceof Error; depth++) {
    if ('code' in at && typeof at.code === 'string' && form.test(at.code)) return at.code
    at = at.cause
  }
  return undefined
}
