/** Access tokens: EdDSA JWTs that are bound to a device key (protocol, section 6; RFC 9068, RFC 7800). */
import { ProtocolError } from 'miniseal-protocol/errors'
import { encodeAscii } from 'miniseal-protocol/text'
import type { FindKey } from './keys.ts'
import { nodePrimitives } from './primitives.ts'

/** The subject of a verified token. */
export interface TokenSubject {
  readonly user: string
  readonly appid: string
  /** base64url of the session id. */
  readonly session: string
  /** Thumbprint of the device key. */
  readonly device: string
}

export interface TokenRules {
  /** Issuer and audience. */
  readonly origin: string
  /** UNIX seconds. */
  readonly now: number
  /** Seconds for which an expired token is still accepted. */
  readonly tolerance: number
}

/** A compact JWS with a signature of 64 bytes in canonical base64url: no padding, zero trailing bits. */
const tokenForm = /^HTTPSig (([\w-]+)\.([\w-]+)\.([\w-]{85}[AQgw]))$/

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
  if (authorization === undefined)
    throw new ProtocolError('token_missing', 'the request carries no access token')
  const [, token = '', header = '', payload = '', signature = ''] = tokenForm.exec(authorization) ?? []
  if (token === '') throw invalid('authorization is not HTTPSig with an access token')
  const { alg, typ, kid, crit } = parseJson(header)
  if (alg !== 'EdDSA' || typ !== 'at+jwt' || typeof kid !== 'string' || crit !== undefined)
    throw invalid('the header of the access token is not EdDSA at+jwt with a kid')
  const key = await findKey(kid)
  if (key === undefined) throw invalid('the access token names an unknown key')
  const signed = encodeAscii(token.slice(0, token.lastIndexOf('.')))
  const bytes = new Uint8Array(Buffer.from(signature, 'base64url'))
  if (!nodePrimitives.ed25519Verify(bytes, signed, key))
    throw invalid('the signature of the access token does not verify')
  return readClaims(parseJson(payload), origin, now - tolerance)
}

/** @param oldest UNIX seconds; a token that expired by then is refused */
function readClaims(claims: Readonly<Record<string, unknown>>, origin: string, oldest: number): TokenSubject {
  const { iss, aud, iat, exp, jti, sub, client_id: appid, sid, cnf } = claims
  if (iss !== origin || aud !== origin) throw invalid('the access token is of another service')
  if (typeof iat !== 'number' || typeof exp !== 'number' || typeof jti !== 'string')
    throw invalid('the access token lacks iat, exp or jti')
  if (exp <= oldest) throw new ProtocolError('token_expired', 'the access token has expired')
  const device = isObject(cnf) && Object.keys(cnf).length === 1 ? cnf.jkt : undefined
  if (!isText(sub) || !isText(appid) || !isText(sid) || !isText(device))
    throw invalid('the access token lacks sub, client_id, sid or cnf.jkt')
  return { user: sub, appid, session: sid, device }
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
