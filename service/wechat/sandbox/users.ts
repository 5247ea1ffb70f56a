/** The users of the sandbox's apps: their openids, current session keys and login rate. */
import { createHash, createHmac } from 'node:crypto'
import type { Random } from './answers.ts'

export interface Users {
  newOpenid(): string
  /** Counts one login call of the user; false when this minute already had its 100. */
  countLogin(appid: string, openid: string): boolean
  /** The user's next session_key, base64 of 16 bytes. The one before is void from now on. */
  replaceSessionKey(appid: string, openid: string): string
  /** The current session_key; undefined for a user who never logged in. */
  findSessionKey(appid: string, openid: string): string | undefined
  /** Whether `signature` is HMAC-SHA-256 of the empty string with the user's current session_key. */
  isSessionSignature(appid: string, openid: string, signature: string): boolean
  /** The same number for the same user at every time; the numbers are made up. */
  phoneNumberOf(openid: string): string
}

const loginsPerMinute = 100

/** `now` in unix seconds. */
export function createUsers(now: () => number, random: Random): Users {
  const sessionKeys = new Map<string, string>()
  const logins = new Map<string, { readonly minute: number; count: number }>()

  function countLogin(appid: string, openid: string): boolean {
    const key = userKey(appid, openid)
    const minute = Math.floor(now() / 60)
    const seen = logins.get(key)
    if (seen === undefined || seen.minute !== minute) {
      logins.set(key, { minute, count: 1 })
      return true
    }
    seen.count += 1
    return seen.count <= loginsPerMinute
  }

  function replaceSessionKey(appid: string, openid: string): string {
    const sessionKey = Buffer.from(random(16)).toString('base64')
    sessionKeys.set(userKey(appid, openid), sessionKey)
    return sessionKey
  }

  function isSessionSignature(appid: string, openid: string, signature: string): boolean {
    const sessionKey = sessionKeys.get(userKey(appid, openid))
    // The base64 text itself is the key; WeChat does not decode it.
    return sessionKey !== undefined && createHmac('sha256', sessionKey).update('').digest('hex') === signature
  }

  return {
    newOpenid: () => `o${Buffer.from(random(21)).toString('base64url').slice(0, 27)}`,
    countLogin,
    replaceSessionKey,
    findSessionKey: (appid, openid) => sessionKeys.get(userKey(appid, openid)),
    isSessionSignature,
    phoneNumberOf,
  }
}

function phoneNumberOf(openid: string): string {
  const digits = createHash('sha256').update(openid).digest().readUInt32BE(0) % 100_000_000
  return `138${String(digits).padStart(8, '0')}`
}

/** An openid belongs to one app. */
function userKey(appid: string, openid: string): string {
  return JSON.stringify([appid, openid])
}
