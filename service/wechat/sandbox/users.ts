/** The users of the sandbox's apps: openids, session keys, login rate, risk ranks, and the data of `wx.getUserProfile`. */
import { createCipheriv, createHash, createHmac } from 'node:crypto'
import type { Random } from './credentials.ts'

export interface Users {
  newOpenid(): string
  /** Counts one login call of the user; false when this minute already had its 100. */
  countLogin(appid: string, openid: string): boolean
  /** A new session_key, base64 of 16 bytes, which replaces the previous one. */
  replaceSessionKey(appid: string, openid: string): string
  /** The current session_key; undefined for a user who never logged in. */
  findSessionKey(appid: string, openid: string): string | undefined
  /** Whether `signature` is HMAC-SHA-256 of the empty string with the user's current session_key. */
  isSessionSignature(appid: string, openid: string, signature: string): boolean
  /** A made-up number, always the same for a user. */
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

/** The highest rank of getUserRiskRank. */
export const highestRank = 4

export interface RiskRanks {
  /** Records that the user is in the mini program. */
  visit(appid: string, openid: string): void
  /** Whether the last visit was less than 30 minutes ago; WeChat ranks no others. */
  isRecent(appid: string, openid: string): boolean
  setRank(appid: string, openid: string, rank: number): void
  rankOf(appid: string, openid: string): number
}

/** For how long WeChat ranks a user after a visit. */
const recentSeconds = 1800

/** `now` in unix seconds. */
export function createRiskRanks(now: () => number): RiskRanks {
  const visits = new Map<string, number>()
  const ranks = new Map<string, number>()
  return {
    visit: (appid, openid) => {
      visits.set(userKey(appid, openid), now())
    },
    isRecent: (appid, openid) => now() - (visits.get(userKey(appid, openid)) ?? 0) < recentSeconds,
    setRank: (appid, openid, rank) => {
      ranks.set(userKey(appid, openid), rank)
    },
    rankOf: (appid, openid) => ranks.get(userKey(appid, openid)) ?? 0,
  }
}

/** An openid belongs to one app. */
function userKey(appid: string, openid: string): string {
  return JSON.stringify([appid, openid])
}

/** The members of the result of `wx.getUserProfile` and similar calls. */
interface SealedUserData {
  readonly rawData: string
  readonly signature: string
  readonly encryptedData: string
  readonly iv: string
}

/**
 * AES-128-CBC with the decoded session_key, PKCS#7; the signature takes the key's text (WeChat, "signature").
 *
 * @param sessionKey base64 of 16 bytes
 * @param iv 16 bytes
 */
export function sealUserData(
  sessionKey: string,
  iv: Uint8Array,
  data: Readonly<Record<string, unknown>>,
  watermark: { readonly timestamp: number; readonly appid: string },
): SealedUserData {
  const rawData = JSON.stringify(data)
  const cipher = createCipheriv('aes-128-cbc', Buffer.from(sessionKey, 'base64'), iv)
  const text = JSON.stringify({ ...data, watermark })
  const encryptedData = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]).toString('base64')
  const signature = createHash('sha1').update(rawData).update(sessionKey).digest('hex')
  return { rawData, signature, encryptedData, iv: Buffer.from(iv).toString('base64') }
}
