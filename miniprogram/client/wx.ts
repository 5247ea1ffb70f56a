/** The members of WeChat's `wx` that the client uses, in their callback form. */
import { ChannelError } from './errors.ts'

export interface WeChatFailure {
  readonly errMsg: string
  readonly errno?: number
  readonly errCode?: number
}

export interface Callbacks<Result> {
  readonly success: (result: Result) => void
  readonly fail: (failure: WeChatFailure) => void
}

export interface WeChatAnswer {
  readonly statusCode: number
  readonly header: object
  readonly data: unknown
}

interface WeChatCall extends Callbacks<WeChatAnswer> {
  readonly method: 'GET' | 'POST'
  readonly header: Record<string, string>
  readonly data?: ArrayBuffer | string
  readonly dataType: string
  readonly responseType: 'arraybuffer' | 'text'
  readonly timeout: number
}

export interface WeChatRequest extends WeChatCall {
  readonly url: string
  readonly data?: ArrayBuffer
}

export interface WeChatContainerCall extends WeChatCall {
  readonly config: { readonly env: string }
  readonly path: string
}

/** `onClose` may never be called, for example after the phone slept. */
export interface WeChatSocket {
  send(options: { readonly data: ArrayBuffer } & Callbacks<unknown>): void
  close(options: { readonly code: number }): void
  onOpen(listener: () => void): void
  onMessage(listener: (message: { readonly data: unknown }) => void): void
  onError(listener: () => void): void
  onClose(listener: (end: { readonly code: number; readonly reason: string }) => void): void
}

export interface WeChatCloud {
  callContainer(options: WeChatContainerCall): unknown
  connectContainer(
    options: {
      readonly config: { readonly env: string }
      readonly service: string
      readonly path: string
      readonly protocols: string[]
    } & Callbacks<{ readonly socketTask: WeChatSocket }>,
  ): unknown
}

export type SoterMode = 'fingerPrint' | 'facial'

/** Requires base library 2.21.3, which added `encrypt`; `getRandomValues` is from 2.15.0. */
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
  /** From 2.20.1, like the next one. */
  getDeviceInfo?(): { readonly platform: string }
  getAppBaseInfo?(): { readonly SDKVersion: string }
  connectSocket?(
    options: { readonly url: string; readonly protocols: string[] } & Callbacks<unknown>,
  ): WeChatSocket
  getNetworkType?(options: Callbacks<{ readonly networkType: string }>): unknown
  onNetworkStatusChange?(listener: (status: { readonly isConnected: boolean }) => void): void
  onAppShow?(listener: () => void): void
  showModal?(
    options: { readonly title: string; readonly content: string } & Callbacks<{ readonly confirm: boolean }>,
  ): unknown
  checkIsSupportSoterAuthentication?(options: Callbacks<{ readonly supportMode: readonly string[] }>): unknown
  checkIsSoterEnrolledInDevice?(
    options: { readonly checkAuthMode: SoterMode } & Callbacks<{ readonly isEnrolled: boolean }>,
  ): unknown
  startSoterAuthentication?(
    options: {
      readonly requestAuthModes: SoterMode[]
      readonly challenge: string
      readonly authContent: string
    } & Callbacks<{ readonly resultJSON: string; readonly resultJSONSignature: string }>,
  ): unknown
  readonly cloud?: WeChatCloud
}

declare const wx: WeChat | undefined

/** @throws ChannelError `unsupported` outside a mini program, where all dependencies must be passed in */
export function weChat(): WeChat {
  const found = findWeChat()
  if (found === undefined) throw new ChannelError('unsupported', 'wx is not available')
  return found
}

/** `undefined` outside a mini program. */
export function findWeChat(): WeChat | undefined {
  return typeof wx === 'object' && wx !== null ? wx : undefined
}

/** The result of a call of `wx` with callbacks. Rejects with the {@link WeChatFailure}. */
export function promised<Result>(call: (callbacks: Callbacks<Result>) => unknown): Promise<Result> {
  return new Promise((success, fail) => {
    call({ success, fail })
  })
}
