/** Access tokens of `cgi-bin/stable_token`. */
import type { Random } from './answers.ts'

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
  /** The app that the token speaks for, or why it speaks for none: `unknown` includes replaced ones. */
  check(token: string): { readonly appid: string } | 'unknown' | 'expired'
}

interface Token {
  readonly text: string
  readonly expiresAt: number
}

const lifetimeSeconds = 7200
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
    const token = { text, expiresAt: now() + lifetimeSeconds }
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
