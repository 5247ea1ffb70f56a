/** New idempotency keys. */

/** 128 random bits in hexadecimal; made before the first attempt, so that every attempt has the same. */
export async function newKey(): Promise<string> {
  const { randomValues } = await wx.getRandomValues({ length: 16 })
  return Array.from(new Uint8Array(randomValues), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
