/** The mini programs that a service serves, as `MINISEAL_WECHAT_APPS` names them. */
import type { WechatApp } from './apps.ts'
import { sandboxApp } from './sandbox/default-app.ts'

/**
 * Reads `appid:secret[,appid:secret…]`; the sandbox's app when nothing is given.
 *
 * @throws Error for the operator; it does not quote a secret. Production refuses the sandbox's, which everybody knows.
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
    throw new Error("MINISEAL_WECHAT_APPS holds the sandbox's secret, which everybody knows")
  }
  return apps
}
