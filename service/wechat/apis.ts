/** The methods of WeChat's API: login codes, session keys, phone numbers, risk ranks, SOTER signatures. */
import { createHash, createHmac } from 'node:crypto'
import { z } from 'zod'
import { ProblemError } from '../problems/problem-error.ts'
import { type AuthorizedCall, createSingleFlight } from './access-tokens.ts'
import type { WechatApps } from './apps.ts'
import { invalidUserSignature, phoneNumberApi, refuseFailure, WechatFailure } from './errors.ts'
import type { Caller, WechatRequest } from './transport.ts'

/** The user of a login code. */
export interface WechatIdentity {
  readonly openid: string
  /** Secret. Base64 text as received: the text, not its bytes, is WeChat's HMAC key. */
  readonly sessionKey: string
  /** Only for apps that are bound to an Open Platform account. */
  readonly unionid?: string
}

/** `sns/jscode2session`. `session_key` is 16 bytes in base64. */
const sessionReply = z.object({
  openid: z.string().min(1).max(128),
  session_key: z.string().regex(/^[A-Za-z0-9+/]{22}==$/),
  unionid: z.string().min(1).max(128).optional(),
})

/** `wxa/checksession`. An answer without errcode is no confirmation. */
const checkSessionReply = z.object({ errcode: z.literal(0) })

/** Codes have 32 characters today. Attacker-controlled: a longer one is refused without a call. */
const maxCodeLength = 512

/** Whether a text may be a code of any kind. */
function isCode(code: string): boolean {
  return code.length > 0 && code.length <= maxCodeLength
}

/** See {@link WechatClient.exchangeCode}: one call per code at a time, never repeated. */
export function createCodeExchange(caller: Caller, apps: WechatApps, deadlineMs: number) {
  const singleFlight = createSingleFlight<WechatIdentity>()

  async function exchangeOnce(appid: string, code: string): Promise<WechatIdentity> {
    const query = { appid, secret: apps.secretOf(appid), js_code: code, grant_type: 'authorization_code' }
    const request: WechatRequest = { method: 'GET', api: 'sns/jscode2session', query }
    const reply = await refuseFailure(request.api, () =>
      caller.call(request, sessionReply, AbortSignal.timeout(deadlineMs)),
    )
    const unionid = reply.unionid === undefined ? {} : { unionid: reply.unionid }
    return { openid: reply.openid, sessionKey: reply.session_key, ...unionid }
  }

  return async (appid: string, code: string): Promise<WechatIdentity> => {
    if (!isCode(code)) throw new ProblemError('login_code_invalid', 'the code is empty or too long')
    return singleFlight(hashOf(appid, code), () => exchangeOnce(appid, code))
  }
}

/** Whether `sessionKey` is the user's current one: WeChat refuses a signature with another key. */
export async function checkSession(
  call: AuthorizedCall,
  appid: string,
  openid: string,
  sessionKey: string,
): Promise<boolean> {
  const query = { openid, signature: userSignature(sessionKey, ''), sig_method: 'hmac_sha256' }
  const request: WechatRequest = { method: 'GET', api: 'wxa/checksession', query }
  try {
    await call(appid, request, checkSessionReply)
    return true
  } catch (error) {
    const cause = error instanceof ProblemError ? error.cause : undefined
    if (cause instanceof WechatFailure && cause.errcode === invalidUserSignature) return false
    throw error
  }
}

/**
 * The signature of WeChat's session APIs: HMAC-SHA-256, lower-case hex.
 *
 * @param sessionKey the base64 text; WeChat does not decode it
 */
export function userSignature(sessionKey: string, message: string): string {
  return createHmac('sha256', sessionKey).update(message).digest('hex')
}

/** Codes are secret, so running calls are identified by hashes. JSON separates the two parts. */
function hashOf(appid: string, code: string): string {
  return createHash('sha256')
    .update(JSON.stringify([appid, code]))
    .digest('base64')
}

export interface WechatPhoneNumber {
  /** The number; with the country code if it is not Chinese. */
  readonly phoneNumber: string
  readonly purePhoneNumber: string
  readonly countryCode: string
}

/** `wxa/business/getuserphonenumber`. `countryCode` is a string on WeChat's page; a number is accepted too. */
const phoneNumberReply = z.object({
  phone_info: z.object({
    phoneNumber: z.string().min(1).max(32),
    purePhoneNumber: z.string().min(1).max(32),
    countryCode: z.union([z.string().min(1).max(8), z.number().int().positive().transform(String)]),
    watermark: z.object({ appid: z.string() }),
  }),
})

/** @param code of the phone number button, attacker-controlled */
export async function exchangePhoneCode(
  call: AuthorizedCall,
  appid: string,
  code: string,
  openid: string | undefined,
): Promise<WechatPhoneNumber> {
  if (!isCode(code)) throw new ProblemError('payload_invalid', 'the code is empty or too long')
  const body = { code, ...(openid !== undefined && { openid }) }
  const request: WechatRequest = { method: 'POST', api: phoneNumberApi, body }
  const reply = await call(appid, request, phoneNumberReply)
  const { watermark, ...number } = reply.phone_info
  if (watermark.appid !== appid) {
    throw new ProblemError('payload_invalid', 'the phone number belongs to another app')
  }
  return number
}

/** 0: no risk found; 4: the highest. */
export type RiskRank = 0 | 1 | 2 | 3 | 4

/** Scenes: 0 sign-up, 1 marketing abuse, 2 user content. A login is closest to 0. */
const scene = 0

/** `wxa/getuserriskrank`. Any other rank is malformed: it must not count as a low one. */
const riskRankReply = z.object({
  risk_rank: z.union([z.literal(0), z.literal(1), z.literal(2), z.literal(3), z.literal(4)]),
})

/** The optional parameters are omitted: they disclose more personal data. */
export async function fetchRiskRank(
  call: AuthorizedCall,
  appid: string,
  openid: string,
  clientIp: string,
): Promise<RiskRank> {
  const body = { appid, openid, scene, client_ip: clientIp }
  const request: WechatRequest = { method: 'POST', api: 'wxa/getuserriskrank', body }
  const { risk_rank } = await call(appid, request, riskRankReply)
  return risk_rank
}

/** `cgi-bin/soter/verify_signature`. */
const soterReply = z.object({ is_ok: z.boolean() })

/** Generous: a result has a challenge of at most 512 characters and a few names, a signature a few hundred bytes. */
const maxResultJsonLength = 16_384
const maxSignatureLength = 4096

/**
 * True only for errcode 0 (or none) with `is_ok: true`. `resultJson` and `signature` are attacker-controlled; one that is
 * too long is false without a call.
 */
export async function verifySoter(
  call: AuthorizedCall,
  appid: string,
  openid: string,
  resultJson: string,
  signature: string,
): Promise<boolean> {
  if (resultJson.length > maxResultJsonLength || signature.length > maxSignatureLength) return false
  const body = { openid, json_string: resultJson, json_signature: signature }
  const request: WechatRequest = { method: 'POST', api: 'cgi-bin/soter/verify_signature', body }
  const reply = await call(appid, request, soterReply)
  return reply.is_ok
}
