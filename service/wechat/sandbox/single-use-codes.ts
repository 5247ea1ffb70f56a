/** Codes that work once, within 5 minutes: those of wx.login and those of the phone number button. */
import type { Random } from './answers.ts'

interface CodeEntry<T> {
  readonly value: T
  readonly state: 'fresh' | 'used' | 'expired'
}

export interface SingleUseCodes<T> {
  /** A new code of 32 characters for `value`. */
  issue(value: T): string
  /** Undefined for a code that was never issued, or so long ago that it is forgotten. */
  find(code: string): CodeEntry<T> | undefined
  spend(code: string): void
}

const lifetimeSeconds = 300
/** Twice the lifetime, so that a late reuse is still told from an invention. */
const memorySeconds = 600

/** `now` in unix seconds. */
export function createSingleUseCodes<T>(now: () => number, random: Random): SingleUseCodes<T> {
  const codes = new Map<string, { readonly value: T; readonly issuedAt: number; used: boolean }>()

  function forgetOld(): void {
    for (const [code, { issuedAt }] of codes) {
      // Insertion order is age order.
      if (issuedAt + memorySeconds > now()) return
      codes.delete(code)
    }
  }

  function issue(value: T): string {
    forgetOld()
    const code = Buffer.from(random(24)).toString('base64url')
    codes.set(code, { value, issuedAt: now(), used: false })
    return code
  }

  function find(code: string): CodeEntry<T> | undefined {
    const entry = codes.get(code)
    if (entry === undefined) return undefined
    if (entry.used) return { value: entry.value, state: 'used' }
    return { value: entry.value, state: now() < entry.issuedAt + lifetimeSeconds ? 'fresh' : 'expired' }
  }

  function spend(code: string): void {
    const entry = codes.get(code)
    if (entry !== undefined) entry.used = true
  }

  return { issue, find, spend }
}
