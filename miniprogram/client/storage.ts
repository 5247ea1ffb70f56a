/** Persistent storage of the device key and of cached answers. */
import type { WeChat } from './wx.ts'
import { promised } from './wx.ts'

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
export function wxStorage(wx: WeChat): KeyValueStorage {
  const encrypt = true
  return {
    get: (key) =>
      promised<{ data: unknown }>((callbacks) => wx.getStorage({ key, encrypt, ...callbacks })).then(
        ({ data }) => (typeof data === 'string' ? data : undefined),
        () => undefined,
      ),
    async set(key, data) {
      await promised((callbacks) => wx.setStorage({ key, data, encrypt, ...callbacks }))
    },
    async remove(key) {
      await promised((callbacks) => wx.removeStorage({ key, ...callbacks }))
    },
  }
}
