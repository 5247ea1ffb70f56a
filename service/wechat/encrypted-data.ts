/**
 * The encrypted user data of WeChat's app: `encryptedData` with its `iv`, and `rawData` with its `signature`
 * (WeChat's page "signature" of its open abilities).
 *
 * AES-CBC without a MAC does not authenticate: with many attempts against {@link openEncryptedData} an attacker could
 * construct a text that decrypts. Treat the result as a claim of the phone; for a value that must be right, call WeChat's
 * server API, as {@link WechatClient.phoneNumber} does.
 */
import { createDecipheriv, createHash, timingSafeEqual } from 'node:crypto'
import { decodeBase64, decodeUtf8, encodeUtf8 } from 'miniseal-protocol/text'
import { z } from 'zod'
import { ProblemError } from '../problems/problem-error.ts'

const blockLength = 16

/** Seconds by which WeChat's clock may be ahead. */
const clockDifference = 60

/** Members other than the watermark are returned unchecked. */
export const userData = z.looseObject({
  watermark: z.looseObject({ appid: z.string(), timestamp: z.number().int() }),
})

/** An opened object; its watermark has been checked. */
export type WechatUserData = z.infer<typeof userData>

export interface EncryptedData {
  /** Secret. Base64 text as received from WeChat. */
  readonly sessionKey: string
  /** Base64 of 16 bytes. Attacker-controlled. */
  readonly iv: string
  /** Base64. Attacker-controlled. */
  readonly data: string
  /** The app that the watermark must name. */
  readonly appid: string
  /** Maximum age of the watermark, in seconds. */
  readonly maxAge: number
  /** UNIX seconds. */
  readonly now: number
}

/**
 * Decrypts `encryptedData` and checks that it was made for this app, at most `maxAge` ago.
 *
 * @throws ProblemError `payload_invalid`, with the same message whether padding, text, watermark or age is wrong: a
 *   distinct message for the padding would be a padding oracle.
 */
export function openEncryptedData(encrypted: EncryptedData): WechatUserData {
  const opened = tryOpen(encrypted)
  if (opened === undefined) {
    throw new ProblemError(
      'payload_invalid',
      'the data cannot be decrypted with the key of the last login, or belongs to another app, or is too old',
    )
  }
  return opened
}

function tryOpen({ sessionKey, iv, data, appid, maxAge, now }: EncryptedData): WechatUserData | undefined {
  let value: unknown
  try {
    value = JSON.parse(decodeUtf8(decrypt(decodeBase64(sessionKey), decodeBase64(iv), decodeBase64(data))))
  } catch {
    return undefined
  }
  const parsed = userData.safeParse(value)
  if (!parsed.success || parsed.data.watermark.appid !== appid) return undefined
  const age = now - parsed.data.watermark.timestamp
  return age <= maxAge && age >= -clockDifference ? parsed.data : undefined
}

/** AES-128-CBC, PKCS#7. @throws Error for a wrong length or padding. */
function decrypt(key: Uint8Array, iv: Uint8Array, data: Uint8Array): Uint8Array {
  if (iv.length !== blockLength || data.length === 0) throw new Error('not whole blocks')
  const decipher = createDecipheriv('aes-128-cbc', key, iv)
  return new Uint8Array(Buffer.concat([decipher.update(data), decipher.final()]))
}

/**
 * Whether `signature` is sha1(rawData + session_key), lower-case hex, compared in constant time.
 *
 * @param rawData as received: serialised again, it does not verify. Attacker-controlled.
 * @param signature attacker-controlled
 */
export function isRawDataSigned(sessionKey: string, rawData: string, signature: string): boolean {
  const expected = createHash('sha1').update(rawData, 'utf8').update(sessionKey, 'utf8').digest('hex')
  const given = encodeUtf8(signature)
  return given.length === expected.length && timingSafeEqual(given, encodeUtf8(expected))
}
