/** The configured mini programs and their secrets. */
import { ProblemError } from '../problems/problem-error.ts'

export interface WechatApp {
  readonly appid: string
  /** AppSecret. */
  readonly secret: string
}

export interface WechatApps {
  has(appid: string): boolean
  /**
   * @param appid attacker-controlled.
   * @throws ProblemError payload_invalid when the app is not configured.
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
    if (secret === undefined) throw new ProblemError('payload_invalid', 'unknown app')
    return secret
  }

  return { has: (appid) => secrets.has(appid), secretOf }
}

/** The mini program of the sandbox. The service refuses to start in production with this secret. */
export const sandboxApp: WechatApp = {
  appid: 'wx0123456789abcdef',
  secret: 'sandbox-secret-for-development-only',
}

/**
 * Parses `appid:secret[,appid:secret…]`; by default the sandbox's app.
 *
 * @throws Error for the operator, without secrets. Production refuses the sandbox's secret, which is public.
 */
export function parseApps(
  text: string | undefined,
  mode: 'development' | 'production',
): readonly WechatApp[] {
  if (text === undefined) return [sandboxApp]
  const apps = text.split(',').map((entry) => {
    const match = /^\s*([A-Za-z0-9_-]{2,64}):([^\s:,]{1,128})\s*$/.exec(entry)
    const [, appid, secret] = match ?? []
    if (appid === undefined || secret === undefined)
      throw new Error('MINISEAL_WECHAT_APPS must be appid:secret[,appid:secret…]')
    return { appid, secret }
  })
  if (new Set(apps.map(({ appid }) => appid)).size !== apps.length) {
    throw new Error('MINISEAL_WECHAT_APPS names an appid twice')
  }
  if (mode === 'production' && apps.some(({ secret }) => secret === sandboxApp.secret)) {
    throw new Error("MINISEAL_WECHAT_APPS holds the sandbox's secret, which is public")
  }
  return apps
}
