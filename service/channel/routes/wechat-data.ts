/** `/phone-number` and `/encrypted-data`: the caller's data at WeChat. */
import { z } from 'zod'
import { jsonReply } from '../../messages/content.ts'
import { ProblemError } from '../../problems/problem-error.ts'
import { isRawDataSigned, openEncryptedData, userData } from '../../wechat/encrypted-data.ts'
import { readUserSecret } from '../login.ts'
import { defineRoute } from './route.ts'

/** The maximum age of encrypted data in seconds: the lifetime of WeChat's codes. */
const maxDataAge = 300

const phoneNumberBody = z.strictObject({ code: z.string().min(1).max(512) })

const phoneNumberReply = z.strictObject({
  phone_number: z.string(),
  pure_phone_number: z.string(),
  country_code: z.string(),
})

const encryptedDataBody = z
  .strictObject({
    iv: z.string().length(24),
    data: z.string().min(24),
    raw_data: z.string().optional(),
    signature: z.string().optional(),
  })
  .refine(({ raw_data, signature }) => (raw_data === undefined) === (signature === undefined))
  .meta({ dependentRequired: { raw_data: ['signature'], signature: ['raw_data'] } })

export const wechatDataRoutes = [
  defineRoute({
    id: 'readPhoneNumber',
    method: 'POST',
    path: '/phone-number',
    tag: 'wechat',
    summary: 'Exchange the code of WeChat’s phone number button for the phone number',
    body: phoneNumberBody,
    replies: { 200: phoneNumberReply },
    loggedDigest: 'omitted',
    /** The number goes to the caller and, wrapped, into the stored answer; never into a log. */
    async handler(context, { caller, body: { code } }) {
      const openid = await readUserSecret(context, caller.user, 'openid')
      // Given the openid, WeChat refuses a code that was issued to another person.
      const number = await context.wechat.phoneNumber(caller.appid, code, openid)
      const { phoneNumber, purePhoneNumber, countryCode } = number
      const reply = {
        phone_number: phoneNumber,
        pure_phone_number: purePhoneNumber,
        country_code: countryCode,
      }
      return { reply: jsonReply(phoneNumberReply, 200, reply), writes: [] }
    },
  }),
  defineRoute({
    id: 'openEncryptedData',
    method: 'POST',
    path: '/encrypted-data',
    tag: 'wechat',
    summary: 'Decrypt encryptedData of WeChat',
    body: encryptedDataBody,
    replies: { 200: userData },
    loggedDigest: 'omitted',
    async handler(context, { caller, body: { iv, data, raw_data: rawData, signature } }) {
      const sessionKey = await readUserSecret(context, caller.user, 'sessionKey')
      if (rawData !== undefined && !isRawDataSigned(sessionKey, rawData, signature ?? ''))
        throw new ProblemError('payload_invalid', 'the signature of raw_data does not match')
      const { appid } = caller
      const opened = openEncryptedData({
        sessionKey,
        iv,
        data,
        appid,
        maxAge: maxDataAge,
        now: context.now(),
      })
      return { reply: jsonReply(userData, 200, opened), writes: [] }
    },
  }),
]
