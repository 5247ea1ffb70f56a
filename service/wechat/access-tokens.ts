/** Calls with an access token (`cgi-bin/stable_token`), which is cached, and fetched by one call at a time per app. */
import { z } from 'zod'
import type { WechatApps } from './apps.ts'
import { isTokenRefusal, refuseFailure, WechatFailure } from './errors.ts'
import type { Caller, WechatRequest } from './transport.ts'

/** @returns runs `run`, or joins the concurrent run of the same key. Results are not cached. */
export function createSingleFlight<T>() {
  const inFlight = new Map<string, Promise<T>>()
  return (key: string, run: () => Promise<T>): Promise<T> => {
    const running = inFlight.get(key)
    if (running !== undefined) return running
    const flight = run().finally(() => inFlight.delete(key))
    inFlight.set(key, flight)
    return flight
  }
}

interface IssuedToken {
  readonly token: string
  /** Seconds from the moment the request was sent. */
  readonly expiresIn: number
}

/** WeChat accepts an old token for 5 minutes after its successor was issued, so a margin of one minute suffices. */
const marginSeconds = 60

/**
 * @param fetchToken requests a token from WeChat once, in normal mode: `force_refresh` would revoke the tokens of all other replicas, and
 *   is allowed only 20 times a day
 * @param now UNIX seconds
 */
function createAccessTokens(fetchToken: (appid: string) => Promise<IssuedToken>, now: () => number) {
  const cache = new Map<string, { readonly token: string; readonly expiresAt: number }>()
  const singleFlight = createSingleFlight<string>()
  const fetchAndCache = async (appid: string): Promise<string> => {
    const sentAt = now()
    const { token, expiresIn } = await fetchToken(appid)
    const margin = Math.min(marginSeconds, expiresIn / 2)
    cache.set(appid, { token, expiresAt: sentAt + expiresIn - margin })
    return token
  }
  return {
    /** @throws WechatFailure of the fetch, or `timeout` when `signal` ends the wait for a shared fetch. */
    async get(appid: string, signal: AbortSignal): Promise<string> {
      const cached = cache.get(appid)
      if (cached !== undefined && now() < cached.expiresAt) return cached.token
      return await untilAborted(
        singleFlight(appid, () => fetchAndCache(appid)),
        signal,
      )
    },
    /** Drops the app's token if it is still this one: a late refusal must not drop its successor. */
    forget(appid: string, token: string): void {
      if (cache.get(appid)?.token === token) cache.delete(appid)
    },
  }
}

/** The shared fetch continues for the other callers when one caller's deadline passes. */
function untilAborted<T>(shared: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(new WechatFailure('timeout', 'no access token within the deadline'))
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    shared.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

/** `cgi-bin/stable_token`. `expires_in` in seconds, at most 7200 as of today. */
const tokenReply = z.object({
  access_token: z.string().min(1).max(2048),
  expires_in: z.number().int().positive().max(86_400),
})

/**
 * One call with the app's access token. When WeChat refuses the token, and therefore did nothing else, one more call with a
 * new token. All within one deadline.
 *
 * @throws ProblemError of WeChat's refusal or failure; `payload_invalid` for an app that is not configured.
 */
export type AuthorizedCall = <T>(appid: string, request: WechatRequest, reply: z.ZodType<T>) => Promise<T>

/**
 * @param deadlineMs for a whole call, including its token and the second attempt
 * @param now UNIX seconds
 */
export function createAuthorizedCall(
  caller: Caller,
  apps: WechatApps,
  deadlineMs: number,
  now: () => number,
): AuthorizedCall {
  const tokens = createAccessTokens(async (appid) => {
    const body = { grant_type: 'client_credential', appid, secret: apps.secretOf(appid) }
    const request: WechatRequest = { method: 'POST', api: 'cgi-bin/stable_token', body }
    // A deadline of its own: a call that joins a running fetch must not inherit the deadline of the first one.
    const reply = await caller.call(request, tokenReply, AbortSignal.timeout(deadlineMs))
    return { token: reply.access_token, expiresIn: reply.expires_in }
  }, now)
  async function call<T>(appid: string, request: WechatRequest, reply: z.ZodType<T>): Promise<T> {
    const signal = AbortSignal.timeout(deadlineMs)
    for (let attempt = 1; ; attempt++) {
      // Outside of `try`: a refused token request is not a refused token.
      const token = await tokens.get(appid, signal)
      try {
        const query = { access_token: token, ...request.query }
        return await caller.call({ ...request, query }, reply, signal)
      } catch (error) {
        if (!isTokenRefusal(error)) throw error
        tokens.forget(appid, token)
        if (attempt === 2) throw error
      }
    }
  }
  return (appid, request, reply) => refuseFailure(request.api, () => call(appid, request, reply))
}
