/** Single-use codes and access tokens of the sandbox. */

/** A source of random bytes. */
export type Random = (size: number) => Uint8Array

export interface CodeEntry<T> {
  readonly value: T
  readonly state: 'fresh' | 'used' | 'expired'
}

/** Seconds. */
const codeLifetime = 300
/** Seconds, twice the lifetime: an expired code that was used is answered as used, not as unknown. */
const codeMemory = 600

/** @param now UNIX seconds */
export function createSingleUseCodes<T>(now: () => number, random: Random) {
  // Insertion order is age order.
  const codes = new Map<string, { readonly value: T; readonly issuedAt: number; used: boolean }>()
  const forgetOld = (): void => {
    for (const [code, { issuedAt }] of codes) {
      if (issuedAt + codeMemory > now()) return
      codes.delete(code)
    }
  }
  return {
    /** A new code of 32 characters for `value`. */
    issue(value: T): string {
      forgetOld()
      const code = Buffer.from(random(24)).toString('base64url')
      codes.set(code, { value, issuedAt: now(), used: false })
      return code
    },
    /** `undefined` for a code that was never issued, or was issued long ago. */
    find(code: string): CodeEntry<T> | undefined {
      const entry = codes.get(code)
      if (entry === undefined) return undefined
      if (entry.used) return { value: entry.value, state: 'used' }
      return { value: entry.value, state: now() < entry.issuedAt + codeLifetime ? 'fresh' : 'expired' }
    },
    spend(code: string): void {
      const entry = codes.get(code)
      if (entry !== undefined) entry.used = true
    },
  }
}

export interface TokenAnswer {
  readonly access_token: string
  readonly expires_in: number
}

interface Token {
  readonly text: string
  readonly appid: string
  readonly expiresAt: number
}

const tokenLifetime = 7200
const overlapSeconds = 300
const renewalIntervalSeconds = 30
const renewalsPerDay = 20
const daySeconds = 86_400

/** @param now UNIX seconds */
export function createIssuedTokens(now: () => number, random: Random) {
  const latest = new Map<string, Token>()
  const issued = new Map<string, Token>()
  const renewals = new Map<string, { readonly day: number; count: number; lastAt: number }>()
  const answer = ({ text, expiresAt }: Token): TokenAnswer => ({
    access_token: text,
    expires_in: expiresAt - now(),
  })
  const issue = (appid: string): TokenAnswer => {
    const text = `sandbox_${Buffer.from(random(96)).toString('base64url')}`
    const token = { text, appid, expiresAt: now() + tokenLifetime }
    latest.set(appid, token)
    issued.set(text, token)
    return answer(token)
  }
  /** Normal mode: the same token while it is valid; a new one in its last 5 minutes, when both are valid. */
  const current = (appid: string): TokenAnswer => {
    const token = latest.get(appid)
    return token === undefined || token.expiresAt - now() <= overlapSeconds ? issue(appid) : answer(token)
  }
  return {
    current,
    /**
     * `force_refresh`: a new token; the old one becomes invalid at once. Within 30 s of the last refresh WeChat answers
     * with the current token.
     *
     * @returns `undefined` when the 20 of this day are used up
     */
    renew(appid: string): TokenAnswer | undefined {
      const day = Math.floor(now() / daySeconds)
      const before = renewals.get(appid)
      if (before !== undefined && now() - before.lastAt < renewalIntervalSeconds) return current(appid)
      const count = before?.day === day ? before.count + 1 : 1
      if (count > renewalsPerDay) return undefined
      renewals.set(appid, { day, count, lastAt: now() })
      for (const [text, token] of issued) if (token.appid === appid) issued.delete(text)
      return issue(appid)
    },
    /** The app of the token; `unknown` includes replaced tokens. */
    check(token: string): { readonly appid: string } | 'unknown' | 'expired' {
      const entry = issued.get(token)
      if (entry === undefined) return 'unknown'
      return now() < entry.expiresAt ? { appid: entry.appid } : 'expired'
    },
  }
}
