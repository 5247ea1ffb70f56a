/** What the sandbox issues: single-use codes and access tokens. */

/** A source of random bytes. */
export type Random = (size: number) => Uint8Array

interface CodeEntry<T> {
  readonly value: T
  readonly state: 'fresh' | 'used' | 'expired'
}

export interface SingleUseCodes<T> {
  /** A new code of 32 characters for `value`. */
  issue(value: T): string
  /** Undefined for a code that was never issued, or long ago. */
  find(code: string): CodeEntry<T> | undefined
  spend(code: string): void
}

/** Seconds. */
const codeLifetime = 300
/** Seconds, twice the lifetime: a code that is used late is answered as used, not as unknown. */
const codeMemory = 600

/** `now` in unix seconds. */
export function createSingleUseCodes<T>(now: () => number, random: Random): SingleUseCodes<T> {
  const codes = new Map<string, { readonly value: T; readonly issuedAt: number; used: boolean }>()

  function forgetOld(): void {
    for (const [code, { issuedAt }] of codes) {
      // Insertion order is age order.
      if (issuedAt + codeMemory > now()) return
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
    return { value: entry.value, state: now() < entry.issuedAt + codeLifetime ? 'fresh' : 'expired' }
  }

  function spend(code: string): void {
    const entry = codes.get(code)
    if (entry !== undefined) entry.used = true
  }

  return { issue, find, spend }
}

interface TokenAnswer {
  readonly access_token: string
  readonly expires_in: number
}

export interface IssuedTokens {
  /** Normal mode: the same token while it is valid; a new one in its last 5 minutes, when both are valid. */
  current(appid: string): TokenAnswer
  /**
   * `force_refresh`: a new token, and the old one ends at once. Within 30 s of the one before WeChat does not
   * refresh and answers with the current token. Undefined when the 20 of this day are used up.
   */
  renew(appid: string): TokenAnswer | undefined
  /** The app of the token; `unknown` includes replaced tokens. */
  check(token: string): { readonly appid: string } | 'unknown' | 'expired'
}

interface Token {
  readonly text: string
  readonly expiresAt: number
}

const tokenLifetime = 7200
const overlapSeconds = 300
const renewalIntervalSeconds = 30
const renewalsPerDay = 20
const daySeconds = 86_400

/** `now` in unix seconds. */
export function createIssuedTokens(now: () => number, random: Random): IssuedTokens {
  const latest = new Map<string, Token>()
  const issued = new Map<string, { readonly appid: string; readonly expiresAt: number }>()
  const renewals = new Map<string, { readonly day: number; count: number; lastAt: number }>()

  function issue(appid: string): TokenAnswer {
    const text = `sandbox_${Buffer.from(random(96)).toString('base64url')}`
    const token = { text, expiresAt: now() + tokenLifetime }
    latest.set(appid, token)
    issued.set(text, { appid, expiresAt: token.expiresAt })
    return answer(token)
  }

  function answer(token: Token): TokenAnswer {
    return { access_token: token.text, expires_in: token.expiresAt - now() }
  }

  function current(appid: string): TokenAnswer {
    const token = latest.get(appid)
    return token === undefined || token.expiresAt - now() <= overlapSeconds ? issue(appid) : answer(token)
  }

  function renew(appid: string): TokenAnswer | undefined {
    const day = Math.floor(now() / daySeconds)
    const before = renewals.get(appid)
    if (before !== undefined && now() - before.lastAt < renewalIntervalSeconds) return current(appid)
    const count = before?.day === day ? before.count + 1 : 1
    if (count > renewalsPerDay) return undefined
    renewals.set(appid, { day, count, lastAt: now() })
    for (const [text, token] of issued) if (token.appid === appid) issued.delete(text)
    return issue(appid)
  }

  function check(token: string): { readonly appid: string } | 'unknown' | 'expired' {
    const entry = issued.get(token)
    if (entry === undefined) return 'unknown'
    return now() < entry.expiresAt ? { appid: entry.appid } : 'expired'
  }

  return { current, renew, check }
}
