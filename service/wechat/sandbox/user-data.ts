/** What WeChat's app gives a mini program about its user: open data with a signature, and the same encrypted. */
import { createCipheriv, createHash } from 'node:crypto'

/** The members that `wx.getUserProfile` and its like hand out. */
interface SealedUserData {
  readonly rawData: string
  readonly signature: string
  readonly encryptedData: string
  readonly iv: string
}

/**
 * AES-128-CBC with the decoded session_key, PKCS#7; the signature takes the key's text (WeChat, "signature").
 *
 * @param sessionKey base64 of 16 bytes
 * @param iv 16 bytes
 */
export function sealUserData(
  sessionKey: string,
  iv: Uint8Array,
  data: Readonly<Record<string, unknown>>,
  watermark: { readonly timestamp: number; readonly appid: string },
): SealedUserData {
  const rawData = JSON.stringify(data)
  const cipher = createCipheriv('aes-128-cbc', Buffer.from(sessionKey, 'base64'), iv)
  const text = JSON.stringify({ ...data, watermark })
  const encryptedData = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]).toString('base64')
  const signature = createHash('sha1').update(rawData).update(sessionKey).digest('hex')
  return { rawData, signature, encryptedData, iv: Buffer.from(iv).toString('base64') }
}
