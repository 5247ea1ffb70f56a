/** Access tokens: EdDSA JWTs that are bound to a device key (protocol, section 6; RFC 9068, RFC 7800). */
import { ProtocolError } from 'miniseal-protocol/errors'
import type { Caller } from 'miniseal-protocol/http-signatures/gateway-signature'
import { encodeAscii } from 'miniseal-protocol/text'
import type { FindKey } from './keys.ts'
import { nodePrimitives } from './primitives.ts'

/** The subject of a verified token. */
export type TokenSubject = Pick<Caller, 'user' | 'appid' | 'session' | 'device'>

export interface TokenRules {
  /** Issuer and audience. */
  readonly origin: string
  /** UNIX seconds. */
  readonly now: number
  /** Seconds for which an expired token is still accepted. */
  readonly tolerance: number
}

/** A well-formed token. It is not verified. */
export interface ParsedToken {
  /** Header and payload, as they were signed. */
  readonly signed: Uint8Array
  /** 64 bytes. */
  readonly signature: Uint8Array
  readonly kid: string
  readonly issuer: string
  readonly audience: string
  /** UNIX seconds. */
  readonly expires: number
  readonly subject: TokenSubject
}

/** A compact JWS with a signature of 64 bytes in canonical base64url: no padding, zero trailing bits. */
const tokenForm = /^HTTPSig ([\w-]+)\.([\w-]+)\.([\w-]{85}[AQgw])$/

/**
 * Verifies the `authorization` field of a request, which is attacker-controlled.
 *
 * @throws ProtocolError `token_missing`, `token_expired`, `token_invalid`, or `unavailable` when the keys cannot be
 *   fetched.
 */
export async function verifyToken(
  authorization: string | undefined,
  findKey: FindKey,
  { origin, now, tolerance }: TokenRules,
): Promise<TokenSubject> {
  const token = parseToken(authorization)
  const key = await findKey(token.kid)
  if (key === undefined) throw invalid('the access token is signed with an unknown key')
  if (!nodePrimitives.ed25519Verify(token.signature, token.signed, key))
    throw invalid('the signature of the access token does not verify')
  if (token.issuer !== origin || token.audience !== origin)
    throw invalid('the access token belongs to another service')
  if (token.expires <= now - tolerance)
    throw new ProtocolError('token_expired', 'the access token has expired')
  return token.subject
}

/**
 * Parses an attacker-controlled `authorization` field.
 *
 * @throws ProtocolError `token_missing` or `token_invalid`.
 */
export function parseToken(authorization: string | undefined): ParsedToken {
  if (authorization === undefined) throw new ProtocolError('token_missing', 'the request has no access token')
  const [, header, payload, signature] = tokenForm.exec(authorization) ?? []
  if (header === undefined || payload === undefined || signature === undefined)
    throw invalid('authorization is not HTTPSig with an access token')
  const { alg, typ, kid, crit } = parseJson(header)
  if (alg !== 'EdDSA' || typ !== 'at+jwt' || typeof kid !== 'string' || crit !== undefined)
    throw invalid('the header of the access token is not EdDSA at+jwt with a kid')
  return {
    signed: encodeAscii(`${header}.${payload}`),
    signature: new Uint8Array(Buffer.from(signature, 'base64url')),
    kid,
    ...parseClaims(parseJson(payload)),
  }
}

function parseClaims(
  claims: Readonly<Record<string, unknown>>,
): Pick<ParsedToken, 'issuer' | 'audience' | 'expires' | 'subject'> {
  const { iss, aud, iat, exp, jti, sub, client_id: appid, sid, cnf } = claims
  if (!isText(iss) || !isText(aud) || typeof iat !== 'number' || typeof exp !== 'number' || !isText(jti))
    throw invalid('the access token lacks iss, aud, iat, exp or jti')
  const device = isObject(cnf) && Object.keys(cnf).length === 1 ? cnf.jkt : undefined
  if (!isText(sub) || !isText(appid) || !isText(sid) || !isText(device))
    throw invalid('the access token lacks sub, client_id, sid or cnf.jkt')
  return { issuer: iss, audience: aud, expires: exp, subject: { user: sub, appid, session: sid, device } }
}

function parseJson(part: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    if (isObject(value)) return value
  } catch {
    // Refused below.
  }
  throw invalid('the access token is not a JWT')
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function invalid(message: string): ProtocolError {
  return new ProtocolError('token_invalid', message)
}
