/** The sandbox's answers for each path of WeChat's API. */
import { isIP } from 'node:net'
import { z } from 'zod'
import type { SandboxState } from './state.ts'

/** The object of the answer, or the errcode of a refusal. */
export type Outcome = Readonly<Record<string, unknown>> | number

type Query = Readonly<Record<string, string>>

const ok = { errcode: 0, errmsg: 'ok' }

/** `GET sns/jscode2session`. Unlike the example on WeChat's page, a success has no errcode. */
export function codeToSession(state: SandboxState, query: Query): Outcome {
  const refused = appRefusal(state, query.appid, query.secret)
  if (refused !== undefined) return refused
  if (!query.js_code) return 41008
  if (query.grant_type !== 'authorization_code') return 40002
  const entry = state.loginCodes.find(query.js_code)
  if (entry === undefined || entry.value.appid !== query.appid) return 40029
  const { appid, openid } = entry.value
  if (!state.users.countLogin(appid, openid)) return 45011
  if (entry.state === 'used') return 40163
  if (entry.state === 'expired') return 40029
  state.loginCodes.spend(query.js_code)
  state.riskRanks.visit(appid, openid)
  return { session_key: state.users.replaceSessionKey(appid, openid), openid }
}

const tokenRequest = z.object({
  grant_type: z.string().optional(),
  appid: z.string().optional(),
  secret: z.string().optional(),
  force_refresh: z.boolean().optional(),
})

/** `POST cgi-bin/stable_token`. */
export function stableToken(state: SandboxState, body: unknown): Outcome {
  const request = tokenRequest.safeParse(body)
  if (!request.success) return 47001
  const { grant_type, appid, secret, force_refresh } = request.data
  const refused = appRefusal(state, appid, secret)
  if (refused !== undefined) return refused
  if (appid === undefined || grant_type !== 'client_credential') return 40002
  const token = force_refresh ? state.tokens.renew(appid) : state.tokens.current(appid)
  return token === undefined ? 45009 : { ...token }
}

/** `GET wxa/checksession`. */
export function checkSession(state: SandboxState, query: Query): Outcome {
  const caller = authorize(state, query)
  if (typeof caller === 'number') return caller
  if (query.sig_method !== 'hmac_sha256') return 87008
  const { openid = '', signature = '' } = query
  return state.users.isSessionSignature(caller.appid, openid, signature) ? ok : 87009
}

const soterRequest = z.object({
  openid: z.string().default(''),
  json_string: z.string().default(''),
  json_signature: z.string().default(''),
})

/** `POST cgi-bin/soter/verify_signature`. A wrong signature is errcode 0 with is_ok false. */
export async function verifySoterSignature(
  state: SandboxState,
  query: Query,
  body: unknown,
): Promise<Outcome> {
  const caller = authorize(state, query)
  if (typeof caller === 'number') return caller
  const request = soterRequest.safeParse(body)
  if (!request.success) return 47001
  const { openid, json_string, json_signature } = request.data
  return { ...ok, is_ok: await state.soter.isSigned(openid, json_string, json_signature) }
}

const phoneRequest = z.object({ code: z.string().default(''), openid: z.string().optional() })

/** `POST wxa/business/getuserphonenumber`. */
export function userPhoneNumber(state: SandboxState, query: Query, body: unknown): Outcome {
  const caller = authorize(state, query)
  if (typeof caller === 'number') return caller
  const request = phoneRequest.safeParse(body)
  if (!request.success) return 47001
  const { code, openid } = request.data
  const entry = state.phoneCodes.find(code)
  if (entry?.state !== 'fresh' || entry.value.appid !== caller.appid) return 40029
  if (openid !== undefined && openid !== entry.value.openid) return 40029
  state.phoneCodes.spend(code)
  const number = state.users.phoneNumberOf(entry.value.openid)
  const watermark = { timestamp: state.now(), appid: caller.appid }
  return {
    ...ok,
    phone_info: { phoneNumber: number, purePhoneNumber: number, countryCode: '86', watermark },
  }
}

const riskRequest = z.object({
  appid: z.string().default(''),
  openid: z.string().default(''),
  scene: z.union([z.literal(0), z.literal(1), z.literal(2)]),
  client_ip: z.string().refine((address) => isIP(address) !== 0),
  is_test: z.boolean().default(false),
})

/** `POST wxa/getuserriskrank`. WeChat spells the member `unoin_id`. */
export function userRiskRank(state: SandboxState, query: Query, body: unknown): Outcome {
  const caller = authorize(state, query)
  if (typeof caller === 'number') return caller
  const request = riskRequest.safeParse(body)
  if (!request.success) return 47001
  const { appid, openid, is_test } = request.data
  if (appid !== caller.appid) return 40013
  if (!is_test && !state.riskRanks.isRecent(appid, openid)) return 61010
  const unoin_id = Buffer.from(state.random(4)).readUInt32BE(0)
  return { ...ok, risk_rank: state.riskRanks.rankOf(appid, openid), unoin_id }
}

function appRefusal(
  state: SandboxState,
  appid: string | undefined,
  secret: string | undefined,
): number | undefined {
  if (!appid) return 41002
  const app = state.apps.get(appid)
  if (app === undefined) return 40013
  if (!secret) return 41004
  return secret === app.secret ? undefined : 40125
}

function authorize(state: SandboxState, query: Query): { readonly appid: string } | number {
  if (!query.access_token) return 41001
  const caller = state.tokens.check(query.access_token)
  if (caller === 'unknown') return 40001
  return caller === 'expired' ? 42001 : caller
}
