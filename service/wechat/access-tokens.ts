/** Calls with the app's access token (`cgi-bin/stable_token`), which is cached and fetched by one call at a time per app. */
import { z } from 'zod'
import type { WechatApps } from './apps.ts'
import { isTokenRefusal, WechatFailure } from './errors.ts'
import type { Caller, WechatRequest } from './transport.ts'

/** Runs `run`, or joins the concurrent run of the same key. Results are not cached. */
export type SingleFlight<T> = (key: string, run: () => Promise<T>) => Promise<T>

export function createSingleFlight<T>(): SingleFlight<T> {
  const inFlight = new Map<string, Promise<T>>()
  return (key, run) => {
    const running = inFlight.get(key)
    if (running !== undefined) return running
    const flight = run().finally(() => inFlight.delete(key))
    inFlight.set(key, flight)
    return flight
  }
}

export interface IssuedToken {
  readonly token: string
  /** Seconds from the moment the request was sent. */
  readonly expiresIn: number
}

export interface AccessTokens {
  /**
   * A token that is valid for a while.
   * @throws WechatFailure of the fetch, or `timeout` when `signal` ends the wait for a fetch that others share.
   */
  get(appid: string, signal: AbortSignal): Promise<string>
  /** Drops the app's token if it is still this one: a late refusal must not drop its successor. */
  forget(appid: string, token: string): void
}

/** WeChat accepts an old token for 5 minutes after its successor was issued, so one minute of margin is enough. */
const marginSeconds = 60

/**
 * `fetchToken` asks WeChat once, in normal mode: `force_refresh` would cut off the tokens of all other replicas,
 * and is allowed only 20 times a day. `now` in unix seconds.
 */
function createAccessTokens(
  fetchToken: (appid: string) => Promise<IssuedToken>,
  now: () => number,
): AccessTokens {
  const cache = new Map<string, { readonly token: string; readonly expiresAt: number }>()
  const flight = createSingleFlight<string>()

  async function fetchAndCache(appid: string): Promise<string> {
    const sentAt = now()
    const { token, expiresIn } = await fetchToken(appid)
    const margin = Math.min(marginSeconds, expiresIn / 2)
    cache.set(appid, { token, expiresAt: sentAt + expiresIn - margin })
    return token
  }

  async function get(appid: string, signal: AbortSignal): Promise<string> {
    const cached = cache.get(appid)
    if (cached !== undefined && now() < cached.expiresAt) return cached.token
    return untilAborted(
      flight(appid, () => fetchAndCache(appid)),
      signal,
    )
  }

  function forget(appid: string, token: string): void {
    if (cache.get(appid)?.token === token) cache.delete(appid)
  }

  return { get, forget }
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

export interface AuthorizedCaller {
  /**
   * One call with the app's access token. A second one, with a new token, only when WeChat refused the token and
   * therefore did nothing else. All within one deadline.
   * @throws WechatFailure from WeChat; ProblemError payload_invalid for an app that is not configured.
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
