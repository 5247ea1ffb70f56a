/** Login codes and session keys: `sns/jscode2session`, `wxa/checksession`. */
import { createHash, createHmac } from 'node:crypto'
import { z } from 'zod'
import { ProblemError } from '../problems/problem-error.ts'
import type { AuthorizedCaller } from './access-tokens.ts'
import { createSingleFlight } from './access-tokens.ts'
import type { WechatApps } from './apps.ts'
import { invalidUserSignature, refuseFailure, WechatFailure } from './errors.ts'
import type { Caller, WechatRequest } from './transport.ts'

/** The user of a login code. */
export interface WechatIdentity {
  readonly openid: string
  /** Secret. The base64 text as WeChat gave it: that text, not the decoded bytes, keys its HMACs. */
  readonly sessionKey: string
  /** Only for apps that are bound to an Open Platform account. */
  readonly unionid?: string
}

/** `sns/jscode2session`. `session_key` is the base64 text of 16 bytes, kept as the text: WeChat keys HMACs with it. */
const sessionReply = z.object({
  openid: z.string().min(1).max(128),
  session_key: z.string().regex(/^[A-Za-z0-9+/]{22}==$/),
  unionid: z.string().min(1).max(128).optional(),
})

/** `wxa/checksession`. An answer without errcode is no confirmation. */
const checkSessionReply = z.object({ errcode: z.literal(0) })

/** Codes are 32 characters today; longer input, which is attacker-controlled, is refused without a call. */
const maxCodeLength = 512

/** Whether a text may be sent to WeChat as a code of any kind. */
export function isCode(code: string): boolean {
  return code.length > 0 && code.length <= maxCodeLength
}

/** The exchange of {@link WechatClient.exchangeCode}: one call per code at a time, and none is ever repeated. */
export function createCodeExchange(caller: Caller, apps: WechatApps, deadlineMs: number) {
  const singleFlight = createSingleFlight<WechatIdentity>()

  async function exchangeOnce(appid: string, code: string): Promise<WechatIdentity> {
    const query = { appid, secret: apps.secretOf(appid), js_code: code, grant_type: 'authorization_code' }
    const request: WechatRequest = { method: 'GET', api: 'sns/jscode2session', query }
    const reply = await refuseFailure(request.api, () =>
      caller.call(request, sessionReply, AbortSignal.timeout(deadlineMs)),
    )
    const unionid = reply.unionid === undefined ? {} : { unionid: reply.unionid }
    return { openid: reply.openid, sessionKey: reply.session_key, ...unionid }
  }

  return async (appid: string, code: string): Promise<WechatIdentity> => {
    if (!isCode(code)) throw new ProblemError('login_code_invalid', 'the code is empty or too long')
    return singleFlight(hashOf(appid, code), () => exchangeOnce(appid, code))
  }
}

/** True when `sessionKey` is the user's current one, false when WeChat refuses a signature made with it. */
export async function checkSession(
  authorized: AuthorizedCaller,
  appid: string,
  openid: string,
  sessionKey: string,
): Promise<boolean> {
  const query = { openid, signature: userSignature(sessionKey, ''), sig_method: 'hmac_sha256' }
  const request: WechatRequest = { method: 'GET', api: 'wxa/checksession', query }
  return refuseFailure(request.api, async () => {
    try {
      await authorized.call(appid, request, checkSessionReply)
      return true
    } catch (error) {
      if (error instanceof WechatFailure && error.errcode === invalidUserSignature) return false
      throw error
    }
  })
}

/**
 * The user-bound signature of WeChat's session APIs: HMAC-SHA-256, lower-case hex.
 * @param sessionKey the base64 text itself; its decoded bytes give a signature that WeChat refuses.
 */
export function userSignature(sessionKey: string, message: string): string {
  return createHmac('sha256', sessionKey).update(message).digest('hex')
}

/** Codes are secrets, so the map of running calls holds hashes. JSON separates the two parts. */
function hashOf(appid: string, code: string): string {
  return createHash('sha256')
    .update(JSON.stringify([appid, code]))
    .digest('base64')
}
