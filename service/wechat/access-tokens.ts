/** The apps' access tokens (`cgi-bin/stable_token`): cached, fetched by one call at a time per app. */
import { WechatFailure } from './failure.ts'
import { createSingleFlight } from './single-flight.ts'

export interface IssuedToken {
  readonly token: string
  /** Seconds from the moment the request was sent. */
  readonly expiresIn: number
}

export interface AccessTokens {
  /**
   * A token that is good for a while yet.
   * @throws WechatFailure of the fetch, or `timeout` when `signal` ends the wait for a fetch that others share.
   */
  get(appid: string, signal: AbortSignal): Promise<string>
  /** Drops the app's token if it is still this one: a late refusal must not throw away its successor. */
  forget(appid: string, token: string): void
}

/** WeChat keeps an old token good for 5 minutes after its successor exists, so the last minute is margin enough. */
const marginSeconds = 60

/**
 * `fetchToken` asks WeChat once, in normal mode: `force_refresh` would cut off the tokens of all other replicas,
 * and is allowed only 20 times a day. `now` in unix seconds.
 */
export function createAccessTokens(
  fetchToken: (appid: string) => Promise<IssuedToken>,
  now: () => number,
): AccessTokens {
  const cache = new Map<string, { readonly token: string; readonly goodUntil: number }>()
  const flight = createSingleFlight<string>()

  async function fetchAndKeep(appid: string): Promise<string> {
    const sentAt = now()
    const { token, expiresIn } = await fetchToken(appid)
    const margin = Math.min(marginSeconds, expiresIn / 2)
    cache.set(appid, { token, goodUntil: sentAt + expiresIn - margin })
    return token
  }

  async function get(appid: string, signal: AbortSignal): Promise<string> {
    const cached = cache.get(appid)
    if (cached !== undefined && now() < cached.goodUntil) return cached.token
    return untilAborted(
      flight(appid, () => fetchAndKeep(appid)),
      signal,
    )
  }

  function forget(appid: string, token: string): void {
    if (cache.get(appid)?.token === token) cache.delete(appid)
  }

  return { get, forget }
}

/** The shared fetch goes on for the others when one caller's deadline passes. */
function untilAborted<T>(shared: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(new WechatFailure('timeout', 'no access token within the deadline'))
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    shared.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
