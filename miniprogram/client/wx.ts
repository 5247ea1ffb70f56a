/** The few members of WeChat's `wx` that the client uses, all in their callback form. */
import { ChannelError } from './errors.ts'

export interface WeChatFailure {
  readonly errMsg: string
  readonly errno?: number
}

interface Callbacks<Result> {
  readonly success: (result: Result) => void
  readonly fail: (failure: WeChatFailure) => void
}

export interface WeChatRequest
  extends Callbacks<{ readonly statusCode: number; readonly header: object; readonly data: unknown }> {
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly header: Record<string, string>
  readonly data?: ArrayBuffer
  readonly dataType: string
  readonly responseType: 'arraybuffer'
  readonly timeout: number
}

/** Base library 2.21.3 or later: `encrypt` is from there, `getRandomValues` from 2.15.0. */
export interface WeChat {
  request(options: WeChatRequest): unknown
  getRandomValues(
    options: { readonly length: number } & Callbacks<{ readonly randomValues: ArrayBuffer }>,
  ): unknown
  getStorage(
    options: { readonly key: string; readonly encrypt: true } & Callbacks<{ readonly data: unknown }>,
  ): unknown
  setStorage(
    options: { readonly key: string; readonly data: string; readonly encrypt: true } & Callbacks<unknown>,
  ): unknown
  removeStorage(options: { readonly key: string } & Callbacks<unknown>): unknown
  login(options: Callbacks<{ readonly code: string }>): unknown
  /** From 2.20.1, as the next one. */
  getDeviceInfo?(): { readonly platform: string }
  getAppBaseInfo?(): { readonly SDKVersion: string }
}

declare const wx: WeChat | undefined

/** @throws ChannelError `unsupported` outside a mini program: there everything has to be passed in. */
export function weChat(): WeChat {
  if (typeof wx !== 'object' || wx === null) throw new ChannelError('unsupported', 'there is no wx here')
  return wx
}

/**
 * A login code for the service, 5 minutes, one use.
 * @throws ChannelError `login_failed`.
 */
export function wxLogin(weChat: WeChat): Promise<string> {
  return new Promise((resolve, reject) => {
    weChat.login({
      success: ({ code }) => resolve(code),
      fail: (cause) => reject(new ChannelError('login_failed', 'wx.login failed', { cause })),
    })
  })
}
