/**
 * The one table from WeChat's errcodes to refusals of the protocol.
 *
 * Sources: the error tables of code2Session, getStableAccessToken, getPhoneNumber and getUserRiskRank, and WeChat's global
 * return-code table; 40163 stands only in the latter. An errcode that is not here is `wechat_unavailable`: a new
 * code must never pass for a refusal that blames the user.
 */
import { ProtocolError, type RefusalCode } from 'miniseal-protocol/errors'
import { WechatFailure } from './failure.ts'

interface Row {
  readonly code: RefusalCode
  /** Instead of `code` when the errcode is about a phone number's code. */
  readonly forPhoneNumber?: RefusalCode
  readonly words: string
}

/** The path of the phone number call, relative to the base URL. */
export const phoneNumberApi = 'wxa/business/getuserphonenumber'

/** WeChat says that the signature made with a session_key does not match: the key is no longer the current one. */
export const invalidUserSignature = 87009

const unknownErrcode: Row = { code: 'wechat_unavailable', words: 'an errcode that is not in the table' }

const rows: ReadonlyMap<number, Row> = new Map<number, Row>([
  // What the user, or whoever speaks in the user's name, did.
  [40029, { code: 'login_code_invalid', forPhoneNumber: 'payload_invalid', words: 'the code is not valid' }],
  [41008, { code: 'login_code_invalid', forPhoneNumber: 'payload_invalid', words: 'the code is missing' }],
  [40163, { code: 'login_code_used', forPhoneNumber: 'payload_invalid', words: 'the code has been used' }],
  [40226, { code: 'login_blocked', words: 'wechat blocks this user as high-risk' }],
  [
    45011,
    { code: 'login_busy', forPhoneNumber: 'rate_limited', words: 'the quota of this minute is used up' },
  ],
  [45009, { code: 'login_busy', forPhoneNumber: 'rate_limited', words: 'the quota of this day is used up' }],
  // What WeChat or the operator did: nothing that a user could change.
  [-1, { code: 'wechat_unavailable', words: 'wechat is busy' }],
  [40001, { code: 'wechat_unavailable', words: 'the access token or the app secret is not valid' }],
  [42001, { code: 'wechat_unavailable', words: 'the access token has expired' }],
  [41001, { code: 'wechat_unavailable', words: 'the access token is missing' }],
  [40002, { code: 'wechat_unavailable', words: 'the grant type is not valid' }],
  [40013, { code: 'wechat_unavailable', words: 'the appid is not valid' }],
  [40125, { code: 'wechat_unavailable', words: 'the app secret is not valid' }],
  [40243, { code: 'wechat_unavailable', words: 'the app secret has been frozen' }],
  [41002, { code: 'wechat_unavailable', words: 'the appid is missing' }],
  [41004, { code: 'wechat_unavailable', words: 'the app secret is missing' }],
  // Of getUserRiskRank alone.
  [61007, { code: 'wechat_unavailable', words: 'the app has no permission for this api' }],
  [61010, { code: 'wechat_unavailable', words: 'the user has not been in the mini program lately' }],
])

/** True for the errcodes of the table: a bounded set, whatever WeChat or somebody in its place answers. */
export function isKnownErrcode(errcode: number): boolean {
  return rows.has(errcode) || errcode === invalidUserSignature
}

/** True for the errcodes that a new access token can cure: 40001 (not valid) and 42001 (expired). */
export function isTokenRefusal(errcode: number | undefined): boolean {
  return errcode === 40001 || errcode === 42001
}

/**
 * Runs the calls that a method makes for `api`, and turns their failure into a refusal. The refusal's message holds
 * fixed words only; errcode and rid are in its cause. A failure without an errcode (network, deadline, status,
 * malformed answer) is `wechat_unavailable`.
 *
 * @throws ProtocolError for every WechatFailure; other errors pass as they are.
 */
export async function refuseFailure<T>(api: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    throw error instanceof WechatFailure ? refusalOf(api, error) : error
  }
}

function refusalOf(api: string, failure: WechatFailure): ProtocolError {
  if (failure.errcode === undefined) {
    return new ProtocolError('wechat_unavailable', 'wechat gave no usable answer', failure)
  }
  const row = rows.get(failure.errcode) ?? unknownErrcode
  const code = api === phoneNumberApi ? (row.forPhoneNumber ?? row.code) : row.code
  return new ProtocolError(code, `wechat refused: ${row.words}`, failure)
}
