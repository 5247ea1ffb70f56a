/**
 * The client of WeChat's server API. Every method has one deadline for all of its HTTP calls, and throws a ProblemError
 * whose message, cause and stack hold no secret, code, session_key, openid or token.
 */

import { ProblemError } from '../problems/problem-error.ts'
import { createAuthorizedCaller } from './access-tokens.ts'
import { createApps, type WechatApp } from './apps.ts'
import { checkSession, createCodeExchange, type WechatIdentity } from './login.ts'
import { createCaller, createTransport, type WechatCall } from './transport.ts'
import {
  exchangePhoneCode,
  fetchRiskRank,
  type RiskRank,
  verifySoter,
  type WechatPhoneNumber,
} from './user-apis.ts'

export type { WechatApp } from './apps.ts'
export type { WechatIdentity } from './login.ts'
export type { WechatCall } from './transport.ts'
export type { RiskRank } from './user-apis.ts'

export interface WechatSlots {
  readonly logins: number
  /** For biometric confirmations, and for all other calls, each. */
  readonly others: number
}

export interface WechatClientOptions {
  /** `https://api.weixin.qq.com` or a sandbox; a path in front of the API's own is kept. */
  readonly baseUrl: string
  readonly apps: readonly WechatApp[]
  /** Milliseconds for a whole method call, its token and its second try included. Default 3000. */
  readonly deadlineMs?: number
  /** Concurrent calls of each kind; more are `wechat_unavailable` at once, so that no kind starves another. */
  readonly slots?: WechatSlots
  /** Unix seconds. */
  readonly now: () => number
  /** Called for every HTTP call; the argument is safe to log. Must not throw. */
  readonly onCall?: (call: WechatCall) => void
}

/** Every method that calls WeChat throws ProblemError `payload_invalid` for an appid that is not configured. */
export interface WechatClient {
  hasApp(appid: string): boolean

  /**
   * `sns/jscode2session`: exactly one HTTP call, never retried, because WeChat may have spent the code even when
   * its answer was lost. Concurrent calls with the same appid and code share that one call and its result. Later
   * ones call again (and get `login_code_used`).
   * @throws ProblemError login_code_invalid, login_code_used, login_blocked, login_busy, wechat_unavailable.
   */
  exchangeCode(appid: string, code: string): Promise<WechatIdentity>

  /**
   * `wxa/checksession`: whether `sessionKey` is still the user's current one.
   * @throws ProblemError wechat_unavailable, login_busy.
   */
  checkSession(appid: string, openid: string, sessionKey: string): Promise<boolean>

  /**
   * `cgi-bin/soter/verify_signature`: whether this user's device made the signature over exactly this text. Only
   * the signature: the caller compares `raw` with its challenge and watches `counter`.
   * @param resultJson exactly as the device gave it: parsed and serialised again it does not verify.
   * @throws ProblemError wechat_unavailable, login_busy.
   */
  verifySoter(appid: string, openid: string, resultJson: string, signature: string): Promise<boolean>

  /**
   * `wxa/business/getuserphonenumber`. `code` comes from the phone number button and is not a login code; with
   * `openid` WeChat also checks that it is this user's. Refuses an answer whose watermark names another app.
   * @throws ProblemError payload_invalid, rate_limited, wechat_unavailable.
   */
  phoneNumber(appid: string, code: string, openid?: string): Promise<WechatPhoneNumber>

  /**
   * `wxa/getuserriskrank`: how risky WeChat takes a user to be. The app needs a permission for it in WeChat's console.
   * @param clientIp the user's IPv4 or IPv6 address.
   * @throws ProblemError wechat_unavailable, login_busy.
   */
  riskRank(appid: string, openid: string, clientIp: string): Promise<RiskRank>

  /** Unix seconds of WeChat's last well-formed answer, a refusal included; undefined before the first. */
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
  const transport = createTransport(options.baseUrl, deadlineMs, connections)
  const login = createSlots(logins)
  const confirmation = createSlots(others)
  const other = createSlots(others)
  const caller = createCaller(transport, options.now, options.onCall)
  const authorized = createAuthorizedCaller(caller, apps, deadlineMs, options.now)
  const exchange = createCodeExchange(caller, apps, deadlineMs)

  return {
    hasApp: apps.has,
    exchangeCode: (appid, code) => login(() => exchange(appid, code)),
    checkSession: (appid, openid, sessionKey) =>
      other(() => checkSession(authorized, appid, openid, sessionKey)),
    verifySoter: (appid, openid, json, signature) =>
      confirmation(() => verifySoter(authorized, appid, openid, json, signature)),
    phoneNumber: (appid, code, openid) => other(() => exchangePhoneCode(authorized, appid, code, openid)),
    riskRank: (appid, openid, clientIp) => login(() => fetchRiskRank(authorized, appid, openid, clientIp)),
    lastSeen: caller.lastSeen,
    close: transport.close,
  }
}

/** Limits concurrent runs; refuses more at once, before anything is sent. */
function createSlots(most: number): <T>(run: () => Promise<T>) => Promise<T> {
  let atWork = 0
  return async (run) => {
    if (atWork >= most) throw new ProblemError('wechat_unavailable', 'too many concurrent calls of wechat')
    atWork += 1
    try {
      return await run()
    } finally {
      atWork -= 1
    }
  }
}
