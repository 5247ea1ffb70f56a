/**
 * The client of WeChat's server API. Every method has one deadline for all of its HTTP calls, and throws a ProblemError
 * whose message, cause and stack contain no secret, code, session_key, openid or token.
 */
import { ProblemError } from '../problems/problem-error.ts'
import { createAuthorizedCall } from './access-tokens.ts'
import {
  checkSession,
  createCodeExchange,
  exchangePhoneCode,
  fetchRiskRank,
  type RiskRank,
  verifySoter,
  type WechatIdentity,
  type WechatPhoneNumber,
} from './apis.ts'
import { createApps, type WechatApp } from './apps.ts'
import { createCaller, type WechatCall } from './transport.ts'

export type { RiskRank, WechatIdentity } from './apis.ts'
export type { WechatApp } from './apps.ts'
export type { WechatCall } from './transport.ts'

export interface WechatSlots {
  readonly logins: number
  /** For biometric confirmations, and for all other calls, each. */
  readonly others: number
}

export interface WechatClientOptions {
  /** `https://api.weixin.qq.com` or a sandbox; its path is the prefix of every call. */
  readonly baseUrl: string
  readonly apps: readonly WechatApp[]
  /** Milliseconds for a whole method call, including its token and a second attempt. Default 3000. */
  readonly deadlineMs?: number
  /** Concurrent calls of each kind; more are `wechat_unavailable` at once, so that no kind starves another. */
  readonly slots?: WechatSlots
  /** UNIX seconds. */
  readonly now: () => number
  /** Called after every HTTP call; the argument is safe to log. Must not throw. */
  readonly onCall?: (call: WechatCall) => void
}

/** Every method that calls WeChat throws ProblemError `payload_invalid` for an appid that is not configured. */
export interface WechatClient {
  hasApp(appid: string): boolean

  /**
   * `sns/jscode2session`: exactly one HTTP call, never retried, because WeChat may have consumed the code although its
   * answer was lost. Concurrent calls with the same appid and code share one call and its result. A later one calls
   * again (and gets `login_code_used`).
   *
   * @throws ProblemError login_code_invalid, login_code_used, login_blocked, login_busy, wechat_unavailable.
   */
  exchangeCode(appid: string, code: string): Promise<WechatIdentity>

  /**
   * `wxa/checksession`: whether `sessionKey` is still the user's current one.
   *
   * @throws ProblemError wechat_unavailable, login_busy.
   */
  checkSession(appid: string, openid: string, sessionKey: string): Promise<boolean>

  /**
   * `cgi-bin/soter/verify_signature`: whether this user's device signed exactly this text. The caller compares `raw`
   * with its challenge, and checks `counter`.
   *
   * @param resultJson as received from the device: serialised again, it does not verify
   * @throws ProblemError wechat_unavailable, login_busy.
   */
  verifySoter(appid: string, openid: string, resultJson: string, signature: string): Promise<boolean>

  /**
   * `wxa/business/getuserphonenumber`. `code` comes from the phone number button and is not a login code; with
   * `openid` WeChat also checks that it is this user's. An answer whose watermark names another app is refused.
   *
   * @throws ProblemError payload_invalid, rate_limited, wechat_unavailable.
   */
  phoneNumber(appid: string, code: string, openid?: string): Promise<WechatPhoneNumber>

  /**
   * `wxa/getuserriskrank`: WeChat's risk rank of a user. The app needs a permission in WeChat's console.
   *
   * @param clientIp the user's IPv4 or IPv6 address
   * @throws ProblemError wechat_unavailable, login_busy.
   */
  riskRank(appid: string, openid: string, clientIp: string): Promise<RiskRank>

  /** UNIX seconds of WeChat's last well-formed answer, including refusals; `undefined` before the first. */
  lastSeen(): number | undefined

  /** Waits for running calls (within their deadline), then closes all connections. Later calls are refused. */
  close(): Promise<void>
}

const defaultDeadlineMs = 3000
const defaultSlots: WechatSlots = { logins: 64, others: 32 }

/** @throws TypeError when the base URL is not plain http(s), an appid or secret is empty, or an appid repeats. */
export function createWechatClient(options: WechatClientOptions): WechatClient {
  const deadlineMs = options.deadlineMs ?? defaultDeadlineMs
  const apps = createApps(options.apps)
  const { logins, others } = options.slots ?? defaultSlots
  // One connection for each possible call, and one for the access token of each app: no call queues.
  const connections = logins + 2 * others + options.apps.length
  const login = createSlots(logins)
  const confirmation = createSlots(others)
  const other = createSlots(others)
  const { baseUrl, now, onCall } = options
  const caller = createCaller({ baseUrl, deadlineMs, connections, now, onCall })
  const call = createAuthorizedCall(caller, apps, deadlineMs, now)
  const exchange = createCodeExchange(caller, apps, deadlineMs)

  return {
    hasApp: apps.has,
    exchangeCode: (appid, code) => login(() => exchange(appid, code)),
    checkSession: (appid, openid, sessionKey) => other(() => checkSession(call, appid, openid, sessionKey)),
    verifySoter: (appid, openid, json, signature) =>
      confirmation(() => verifySoter(call, appid, openid, json, signature)),
    phoneNumber: (appid, code, openid) => other(() => exchangePhoneCode(call, appid, code, openid)),
    riskRank: (appid, openid, clientIp) => login(() => fetchRiskRank(call, appid, openid, clientIp)),
    lastSeen: caller.lastSeen,
    close: caller.close,
  }
}

/** Limits concurrent calls; more are refused before anything is sent. */
function createSlots(limit: number): <T>(call: () => Promise<T>) => Promise<T> {
  let running = 0
  return async (call) => {
    if (running >= limit) throw new ProblemError('wechat_unavailable', 'too many concurrent calls of wechat')
    running += 1
    try {
      return await call()
    } finally {
      running -= 1
    }
  }
}
