/** Where the device key is kept between launches. */
import { ChannelError } from './errors.ts'
import type { WeChat } from './wx.ts'

export interface KeyValueStorage {
  /** `undefined` when there is nothing, or nothing that can be read. */
  get(key: string): Promise<string | undefined>
  set(key: string, value: string): Promise<void>
  remove(key: string): Promise<void>
}

/**
 * WeChat's encrypted storage: asynchronous forms only, and `encrypt` on both calls.
 *
 * A failing read counts as nothing stored: WeChat clears storage when it needs the space, and a value that cannot be
 * decrypted any more would otherwise lock the user out. The price is one new enrolment.
 */
export function wxStorage(weChat: WeChat): KeyValueStorage {
  return {
    get: (key) =>
      new Promise((resolve) => {
        weChat.getStorage({
          key,
          encrypt: true,
          success: ({ data }) => resolve(typeof data === 'string' ? data : undefined),
          fail: () => resolve(undefined),
        })
      }),
    set: (key, data) =>
      new Promise((resolve, reject) => {
        weChat.setStorage({
          key,
          data,
          encrypt: true,
          success: () => resolve(),
          fail: (cause) => reject(new ChannelError('storage', 'wx.setStorage failed', { cause })),
        })
      }),
    remove: (key) =>
      new Promise((resolve, reject) => {
        weChat.removeStorage({
          key,
          success: () => resolve(),
          fail: (cause) => reject(new ChannelError('storage', 'wx.removeStorage failed', { cause })),
        })
      }),
  }
}
