/** Persistent storage of the device key and of cached answers. */
import { ChannelError } from './errors.ts'
import type { WeChat } from './wx.ts'

export interface KeyValueStorage {
  /** `undefined` for an absent or unreadable value. */
  get(key: string): Promise<string | undefined>
  set(key: string, value: string): Promise<void>
  remove(key: string): Promise<void>
}

/**
 * WeChat's encrypted storage. `encrypt` requires the asynchronous calls.
 *
 * A failed read counts as absent: WeChat may clear storage to free space, and a value that can no longer be decrypted
 * would lock the user out. The cost is a new enrollment.
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
