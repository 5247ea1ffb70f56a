/** The mini program that the sandbox knows when nothing else is configured. */
import type { WechatApp } from '../client.ts'

/** For development and tests only: the service refuses to start in production with this secret. */
export const sandboxApp: WechatApp = {
  appid: 'wx0123456789abcdef',
  secret: 'sandbox-secret-for-development-only',
}
