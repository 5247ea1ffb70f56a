/** Errors of WeChat's API, and the table from its errcodes to problem codes. */
import type { RefusalCode } from 'miniseal-protocol/errors'
import { ProblemError } from '../problems/problem-error.ts'

/** `refused`: WeChat answered with an errcode; otherwise there was no usable answer. */
export type FailureKind = 'refused' | 'timeout' | 'network' | 'status' | 'malformed'

/**
 * The failure of one call of WeChat's API: the only error inside the client, and the only `cause` outside of it.
 *
 * Safe to log: it never wraps an error of the HTTP library or of the parser, which contain parts of the request or of the
 * answer (secret, code, session_key, access token).
 */
export class WechatFailure extends Error {
  readonly kind: FailureKind
  /** WeChat's errcode, for `refused` only. */
  readonly errcode: number | undefined
  /** WeChat's request id, required for support requests. */
  readonly rid: string | undefined

  constructor(kind: FailureKind, detail: string, errcode?: number, rid?: string) {
    super(`${kind}: ${detail}`)
    this.name = 'WechatFailure'
    this.kind = kind
    this.errcode = errcode
    this.rid = rid
  }
}

interface Row {
  readonly code: RefusalCode
  /** Replaces `code` for the code of a phone number. */
  readonly forPhoneNumber?: RefusalCode
  readonly text: string
}

/** The path of the phone number call, relative to the base URL. */
export const phoneNumberApi = 'wxa/business/getuserphonenumber'

/** A signature with a session_key that is no longer current. */
export const invalidUserSignature = 87009

const unknownErrcode: Row = { code: 'wechat_unavailable', text: 'an errcode that is not in the table' }

const rows: ReadonlyMap<number, Row> = new Map<number, Row>([
  // Caused by the client.
  [40029, { code: 'login_code_invalid', forPhoneNumber: 'payload_invalid', text: 'the code is not valid' }],
  [41008, { code: 'login_code_invalid', forPhoneNumber: 'payload_invalid', text: 'the code is missing' }],
  [40163, { code: 'login_code_used', forPhoneNumber: 'payload_invalid', text: 'the code has been used' }],
  [40226, { code: 'login_blocked', text: 'wechat blocks this user as high-risk' }],
  [
    45011,
    { code: 'login_busy', forPhoneNumber: 'rate_limited', text: 'the quota of this minute is used up' },
  ],
  [45009, { code: 'login_busy', forPhoneNumber: 'rate_limited', text: 'the quota of this day is used up' }],
  // Caused by WeChat or the operator.
  [-1, { code: 'wechat_unavailable', text: 'wechat is busy' }],
  [40001, { code: 'wechat_unavailable', text: 'the access token or the app secret is not valid' }],
  [42001, { code: 'wechat_unavailable', text: 'the access token has expired' }],
  [41001, { code: 'wechat_unavailable', text: 'the access token is missing' }],
  [40002, { code: 'wechat_unavailable', text: 'the grant type is not valid' }],
  [40013, { code: 'wechat_unavailable', text: 'the appid is not valid' }],
  [40125, { code: 'wechat_unavailable', text: 'the app secret is not valid' }],
  [40243, { code: 'wechat_unavailable', text: 'the app secret has been frozen' }],
  [41002, { code: 'wechat_unavailable', text: 'the appid is missing' }],
  [41004, { code: 'wechat_unavailable', text: 'the app secret is missing' }],
  // Of getUserRiskRank only.
  [61007, { code: 'wechat_unavailable', text: 'the app has no permission for this api' }],
  [61010, { code: 'wechat_unavailable', text: 'the user has not been in the mini program lately' }],
])

/** Whether the errcode is in the table: the bounded set of metric labels. */
export function isKnownErrcode(errcode: number): boolean {
  return rows.has(errcode) || errcode === invalidUserSignature
}

/** Whether WeChat refused the access token: 40001 (not valid), 42001 (expired). */
export function isTokenRefusal(error: unknown): boolean {
  return error instanceof WechatFailure && (error.errcode === 40001 || error.errcode === 42001)
}

/**
 * Runs the calls that a method makes of `api`. A failure becomes a refusal, whose message is a constant; errcode and rid
 * are in its cause. A failure without an errcode (network, deadline, status, malformed answer) is `wechat_unavailable`.
 *
 * @throws ProblemError for a WechatFailure; other errors are rethrown.
 */
export async function refuseFailure<T>(api: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    throw error instanceof WechatFailure ? refusalOf(api, error) : error
  }
}

function refusalOf(api: string, failure: WechatFailure): ProblemError {
  if (failure.errcode === undefined) {
    return new ProblemError('wechat_unavailable', 'no usable answer from wechat', { cause: failure })
  }
  const row = rows.get(failure.errcode) ?? unknownErrcode
  const code = api === phoneNumberApi ? (row.forPhoneNumber ?? row.code) : row.code
  return new ProblemError(code, `wechat refused: ${row.text}`, { cause: failure })
}
