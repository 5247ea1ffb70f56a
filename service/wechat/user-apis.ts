/** APIs about one user: phone number, risk rank, SOTER signature. */
import { z } from 'zod'
import { ProblemError } from '../problems/problem-error.ts'
import type { AuthorizedCaller } from './access-tokens.ts'
import { phoneNumberApi, refuseFailure } from './errors.ts'
import { isCode } from './login.ts'
import type { WechatRequest } from './transport.ts'

export interface WechatPhoneNumber {
  /** With the country code when it is not a Chinese number. */
  readonly phoneNumber: string
  readonly purePhoneNumber: string
  readonly countryCode: string
}

/** `wxa/business/getuserphonenumber`. WeChat's page types countryCode as a string; a number is read as well. */
const phoneNumberReply = z.object({
  phone_info: z.object({
    phoneNumber: z.string().min(1).max(32),
    purePhoneNumber: z.string().min(1).max(32),
    countryCode: z.union([z.string().min(1).max(8), z.number().int().positive().transform(String)]),
    watermark: z.object({ appid: z.string() }),
  }),
})

/** The number behind a phone number button's code, which is attacker-controlled. */
export async function exchangePhoneCode(
  authorized: AuthorizedCaller,
  appid: string,
  code: string,
  openid: string | undefined,
): Promise<WechatPhoneNumber> {
  if (!isCode(code)) throw new ProblemError('payload_invalid', 'the code is empty or too long')
  const body = { code, ...(openid !== undefined && { openid }) }
  const request: WechatRequest = { method: 'POST', api: phoneNumberApi, body }
  const reply = await refuseFailure(request.api, () => authorized.call(appid, request, phoneNumberReply))
  const { watermark, ...number } = reply.phone_info
  if (watermark.appid !== appid) {
    throw new ProblemError('payload_invalid', 'the phone number belongs to another app')
  }
  return number
}

/** 0: no risk found; 4: the highest. */
export type RiskRank = 0 | 1 | 2 | 3 | 4

/** The scenes of the page: 0 sign-up, 1 marketing abuse, 2 users' own content. A login is nearest to the first. */
const scene = 0

/** `wxa/getuserriskrank`. Any other rank is malformed: it must not pass as a low one. */
const riskRankReply = z.object({
  risk_rank: z.union([z.literal(0), z.literal(1), z.literal(2), z.literal(3), z.literal(4)]),
})

/** The risk rank of a user at this address. The optional parameters are omitted: they disclose more personal data. */
export async function fetchRiskRank(
  authorized: AuthorizedCaller,
  appid: string,
  openid: string,
  clientIp: string,
): Promise<RiskRank> {
  const body = { appid, openid, scene, client_ip: clientIp }
  const request: WechatRequest = { method: 'POST', api: 'wxa/getuserriskrank', body }
  const { risk_rank } = await refuseFailure(request.api, () => authorized.call(appid, request, riskRankReply))
  return risk_rank
}

/** `cgi-bin/soter/verify_signature`. */
const soterReply = z.object({ is_ok: z.boolean() })

/** A real result holds a challenge of at most 512 characters and a few names; a signature has a few hundred bytes. */
const maxResultJsonLength = 16_384
const maxSignatureLength = 4096

/**
 * True only for errcode 0 (or none) together with `is_ok: true`. `resultJson` and `signature` are
 * attacker-controlled; a result that is too long for a device is false without a call.
 */
export async function verifySoter(
  authorized: AuthorizedCaller,
  appid: string,
  openid: string,
  resultJson: string,
  signature: string,
): Promise<boolean> {
  if (resultJson.length > maxResultJsonLength || signature.length > maxSignatureLength) return false
  const body = { openid, json_string: resultJson, json_signature: signature }
  const request: WechatRequest = { method: 'POST', api: 'cgi-bin/soter/verify_signature', body }
  const reply = await refuseFailure(request.api, () => authorized.call(appid, request, soterReply))
  return reply.is_ok
}
