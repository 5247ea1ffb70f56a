/** Calls that need the app's access token. */
import type { z } from 'zod'
import { createAccessTokens, type IssuedToken } from './access-tokens.ts'
import type { WechatApps } from './apps.ts'
import type { Caller } from './call.ts'
import { isTokenRefusal } from './errcodes.ts'
import { WechatFailure } from './failure.ts'
import { tokenReply } from './replies.ts'
import type { WechatRequest } from './transport.ts'

export interface AuthorizedCaller {
  /**
   * One call with the app's access token. A second one, with a new token, only when WeChat refused the token and
   * therefore did nothing else. All within one deadline.
   * @throws WechatFailure from WeChat; ProtocolError payload_invalid for an app that is not configured.
   */
  call<T>(appid: string, request: WechatRequest, reply: z.ZodType<T>): Promise<T>
}

/** `deadlineMs` for a whole call, token and second try included; `now` in unix seconds. */
export function createAuthorizedCaller(
  caller: Caller,
  apps: WechatApps,
  deadlineMs: number,
  now: () => number,
): AuthorizedCaller {
  const tokens = createAccessTokens(fetchToken, now)

  async function fetchToken(appid: string): Promise<IssuedToken> {
    const body = { grant_type: 'client_credential', appid, secret: apps.secretOf(appid) }
    const request: WechatRequest = { method: 'POST', api: 'cgi-bin/stable_token', body }
    // A deadline of its own: callers that join a fetch under way must not inherit the first one's.
    const reply = await caller.call(request, tokenReply, AbortSignal.timeout(deadlineMs))
    return { token: reply.access_token, expiresIn: reply.expires_in }
  }

  async function call<T>(appid: string, request: WechatRequest, reply: z.ZodType<T>): Promise<T> {
    const signal = AbortSignal.timeout(deadlineMs)
    for (let attempt = 1; ; attempt++) {
      const token = await tokens.get(appid, signal)
      try {
        const query = { access_token: token, ...request.query }
        return await caller.call({ ...request, query }, reply, signal)
      } catch (error) {
        if (!(error instanceof WechatFailure) || !isTokenRefusal(error.errcode)) throw error
        tokens.forget(appid, token)
        if (attempt === 2) throw error
      }
    }
  }

  return { call }
}
