/** The state of one sandbox, in memory: users, issued codes and tokens, devices, faults. */
import { createCipheriv, createHash, createHmac } from 'node:crypto'
import type { WechatApp } from '../client.ts'
import { createIssuedTokens, createSingleUseCodes, type Random } from './credentials.ts'
import { createFaults } from './faults.ts'
import { createSoterDevices } from './soter-devices.ts'

/** The user that a code was issued for. */
interface AppUser {
  readonly appid: string
  readonly openid: string
}

/** The paths of WeChat's API that the sandbox answers. */
export const apiPaths = [
  'sns/jscode2session',
  'cgi-bin/stable_token',
  'wxa/checksession',
  'cgi-bin/soter/verify_signature',
  'wxa/business/getuserphonenumber',
  'wxa/getuserriskrank',
] as const

export type ApiPath = (typeof apiPaths)[number]

export type SandboxState = ReturnType<typeof createSandboxState>

/** @param now UNIX seconds */
export function createSandboxState(apps: readonly WechatApp[], now: () => number, random: Random) {
  return {
    apps: new Map(apps.map((app) => [app.appid, app])),
    now,
    random,
    users: createUsers(now, random),
    loginCodes: createSingleUseCodes<AppUser>(now, random),
    phoneCodes: createSingleUseCodes<AppUser>(now, random),
    tokens: createIssuedTokens(now, random),
    soter: createSoterDevices(),
    riskRanks: createRiskRanks(now),
    faults: createFaults(apiPaths),
  }
}

const loginsPerMinute = 100

function createUsers(now: () => number, random: Random) {
  const sessionKeys = new Map<string, string>()
  const logins = new Map<string, { readonly minute: number; count: number }>()
  return {
    newOpenid: (): string => `o${Buffer.from(random(21)).toString('base64url').slice(0, 27)}`,
    /** Counts a login call of the user. @returns false over 100 calls in this minute */
    countLogin(appid: string, openid: string): boolean {
      const key = userKey(appid, openid)
      const minute = Math.floor(now() / 60)
      const seen = logins.get(key)
      const count = seen?.minute === minute ? seen.count + 1 : 1
      logins.set(key, { minute, count })
      return count <= loginsPerMinute
    },
    /** A new session_key, 16 bytes in base64, which replaces the previous one. */
    replaceSessionKey(appid: string, openid: string): string {
      const sessionKey = Buffer.from(random(16)).toString('base64')
      sessionKeys.set(userKey(appid, openid), sessionKey)
      return sessionKey
    },
    /** The current session_key; `undefined` for a user who never logged in. */
    findSessionKey: (appid: string, openid: string) => sessionKeys.get(userKey(appid, openid)),
    /** Whether `signature` is HMAC-SHA-256 of the empty string with the user's current session_key. */
    isSessionSignature(appid: string, openid: string, signature: string): boolean {
      const key = sessionKeys.get(userKey(appid, openid))
      // The base64 text itself is the key; WeChat does not decode it.
      return key !== undefined && createHmac('sha256', key).update('').digest('hex') === signature
    },
    /** An invented number, always the same for a user. */
    phoneNumberOf(openid: string): string {
      const digits = createHash('sha256').update(openid).digest().readUInt32BE(0) % 100_000_000
      return `138${String(digits).padStart(8, '0')}`
    },
  }
}

/** The highest rank of getUserRiskRank. */
export const highestRank = 4

/** Seconds after a visit in which WeChat ranks a user. */
const recentSeconds = 1800

function createRiskRanks(now: () => number) {
  const visits = new Map<string, number>()
  const ranks = new Map<string, number>()
  return {
    /** Records that the user is in the mini program. */
    visit(appid: string, openid: string): void {
      visits.set(userKey(appid, openid), now())
    },
    /** Whether the last visit was less than 30 minutes ago; WeChat ranks no others. */
    isRecent: (appid: string, openid: string): boolean =>
      now() - (visits.get(userKey(appid, openid)) ?? 0) < recentSeconds,
    setRank(appid: string, openid: string, rank: number): void {
      ranks.set(userKey(appid, openid), rank)
    },
    rankOf: (appid: string, openid: string): number => ranks.get(userKey(appid, openid)) ?? 0,
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
