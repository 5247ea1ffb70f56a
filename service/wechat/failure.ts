/** What went wrong inside one call of WeChat's API, before it becomes a refusal of the protocol. */

/** `refused` = WeChat answered with an errcode; the others = no usable answer. */
export type FailureKind = 'refused' | 'timeout' | 'network' | 'status' | 'malformed'

/**
 * The only error that the inner layers of the WeChat client throw, and the only `cause` that leaves the client.
 *
 * It is safe to log whole: it never wraps an error of the HTTP library or of the parser, because those hold
 * pieces of the request or of the answer (secret, code, session_key, access token).
 */
export class WechatFailure extends Error {
  readonly kind: FailureKind
  /** WeChat's errcode, for `refused` only. */
  readonly errcode: number | undefined
  /** WeChat's request id, which its support asks for. */
  readonly rid: string | undefined

  constructor(kind: FailureKind, detail: string, errcode?: number, rid?: string) {
    super(`${kind}: ${detail}`)
    this.name = 'WechatFailure'
    this.kind = kind
    this.errcode = errcode
    this.rid = rid
  }
}
