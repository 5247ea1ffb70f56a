/**
 * The answers of WeChat's API, as far as they are used. Unknown fields are dropped (WeChat adds some without
 * notice, `expires_in` in code2Session for one); a field that is used must be there and be well-formed.
 */
import { z } from 'zod'

/**
 * The part that every answer may have. A success may lack `errcode` (code2Session always does) or carry 0, so
 * only a truthy errcode is a refusal.
 */
export const envelopeReply = z.object({
  errcode: z.number().int().optional(),
  errmsg: z.string().optional(),
})

/** `sns/jscode2session`. `session_key` is the base64 text of 16 bytes, kept as the text: WeChat keys HMACs with it. */
export const sessionReply = z.object({
  openid: z.string().min(1).max(128),
  session_key: z.string().regex(/^[A-Za-z0-9+/]{22}==$/),
  unionid: z.string().min(1).max(128).optional(),
})

/** `cgi-bin/stable_token`. `expires_in` in seconds, at most 7200 as of today. */
export const tokenReply = z.object({
  access_token: z.string().min(1).max(2048),
  expires_in: z.number().int().positive().max(86_400),
})

/** `wxa/checksession`: the envelope says it all, but an answer that says nothing is not a yes. */
export const checkSessionReply = z.object({ errcode: z.literal(0) })

/** `cgi-bin/soter/verify_signature`. */
export const soterReply = z.object({ is_ok: z.boolean() })

/** `wxa/getuserriskrank`. A rank that the page does not name is no rank: it must not pass for a low one. */
export const riskRankReply = z.object({
  risk_rank: z.union([z.literal(0), z.literal(1), z.literal(2), z.literal(3), z.literal(4)]),
})

/** `wxa/business/getuserphonenumber`. WeChat's page types countryCode as a string; a number is read as well. */
export const phoneNumberReply = z.object({
  phone_info: z.object({
    phoneNumber: z.string().min(1).max(32),
    purePhoneNumber: z.string().min(1).max(32),
    countryCode: z.union([z.string().min(1).max(8), z.number().int().positive().transform(String)]),
    watermark: z.object({ appid: z.string() }),
  }),
})

/**
 * The request id in an errmsg: `…, rid: 5f8d3d1e-1d5ab2d0-3e8ff1ca`, or in older answers
 * `…, hints: [ req_id: oNsdF0aLf ]`. The narrow alphabet keeps anything else in the errmsg out of our logs.
 */
export function findRequestId(errmsg: string | undefined): string | undefined {
  return errmsg?.match(/\b(?:rid|req_id): ?([0-9A-Za-z_.-]{1,64})/)?.[1]
}
