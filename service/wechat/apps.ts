/** The mini programs that the operator runs, and their secrets. */
import { ProtocolError } from 'miniseal-protocol/errors'

/** One mini program. */
export interface WechatApp {
  readonly appid: string
  /** AppSecret. */
  readonly secret: string
}

export interface WechatApps {
  has(appid: string): boolean
  /**
   * @param appid attacker-controlled.
   * @throws ProtocolError payload_invalid when the app is not configured.
   */
  secretOf(appid: string): string
}

/** @throws TypeError when an appid or secret is empty, or an appid repeats. */
export function createApps(apps: readonly WechatApp[]): WechatApps {
  const secrets = new Map<string, string>()
  for (const { appid, secret } of apps) {
    if (appid === '' || secret === '') throw new TypeError('a wechat app needs an appid and a secret')
    if (secrets.has(appid)) throw new TypeError('the same wechat app is configured twice')
    secrets.set(appid, secret)
  }

  function secretOf(appid: string): string {
    const secret = secrets.get(appid)
    if (secret === undefined)
      throw new ProtocolError('payload_invalid', 'this service does not serve that app')
    return secret
  }

  return { has: (appid) => secrets.has(appid), secretOf }
}
