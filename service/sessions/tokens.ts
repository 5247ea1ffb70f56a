/** Access tokens: JWTs of ten minutes, bound to the device key (protocol, section 6; RFC 9068, RFC 7800). */
import { randomUUID } from 'node:crypto'
import type { CryptoKey, JWTVerifyGetKey } from 'jose'
import { errors, importJWK, jwtVerify, SignJWT } from 'jose'
import { ProtocolError } from 'miniseal-protocol/errors'
import { encodeBase64Url } from 'miniseal-protocol/text'
import { z } from 'zod'
import type { Keyring } from '../keys/keyring.ts'
import type { ServiceKey } from '../keys/service-key.ts'
import { createVerifiedTokens, type VerifiedToken } from './verified-tokens.ts'

/** Seconds. */
export const tokenLifetime = 600

/** The one route that takes a token past its end: the session, which is checked with the claim, is what counts. */
export const renewalPath = '/sessions/current/token'

/** The authentication scheme that carries the token; as a plain bearer token it is worthless. */
export const tokenType = 'HTTPSig'

/** Whom a token stands for. */
export interface TokenSubject {
  readonly user: string
  readonly appid: string
  /** b64u of the session id. */
  readonly sid: string
  /** Thumbprint of the device key. */
  readonly device: string
}

/** How old a token may be: within its lifetime, or of any age (only to ask for the next one). */
export type TokenAge = 'unexpired' | 'any'

export interface TokenIssuer {
  issue(subject: TokenSubject, now: number): Promise<string>
  /** @throws ProtocolError `token_expired`, or `token_invalid` for everything else. */
  verify(token: string, now: number, age: TokenAge): Promise<TokenSubject>
}

const claims = z.object({
  sub: z.string().min(1),
  client_id: z.string().min(1),
  sid: z.string().min(1),
  cnf: z.strictObject({ jkt: z.string().min(1) }),
  exp: z.number(),
})

/** @param origin issuer and audience of every token */
export function createTokenIssuer(keyring: Keyring, origin: string): TokenIssuer {
  const verified = createVerifiedTokens()
  const imported = new WeakMap<ServiceKey, Promise<CryptoKey>>()
  const privateKey = (key: ServiceKey): Promise<CryptoKey> => {
    const known = imported.get(key) ?? importKey(key)
    imported.set(key, known)
    return known
  }
  return {
    async issue({ user, appid, sid, device }, now) {
      const key = keyring.current('token', now)
      return await new SignJWT({ client_id: appid, sid, cnf: { jkt: device } })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: key.kid })
        .setIssuer(origin)
        .setAudience(origin)
        .setSubject(user)
        .setIssuedAt(now)
        .setExpirationTime(now + tokenLifetime)
        .setJti(randomUUID())
        .sign(await privateKey(key))
    },
    async verify(token, now, age) {
      const known = verified.get(token)
      const isCurrent = known !== undefined && (age === 'any' || known.expiresAt > now)
      if (isCurrent && (await keyring.findToken(known.kid, now)) !== undefined) return known.subject
      const key: JWTVerifyGetKey = ({ kid }) => verificationKey(keyring, kid, now)
      const tolerance = age === 'any' ? Number.MAX_SAFE_INTEGER : 0
      const made = await verifyToken(token, key, { origin, now, tolerance })
      verified.set(token, made)
      return made.subject
    },
  }
}

interface TokenRules {
  /** Issuer and audience. */
  readonly origin: string
  /** UNIX seconds. */
  readonly now: number
  /** Seconds past its end. */
  readonly tolerance: number
}

/** A compact JWS with a signature of 64 bytes, in the one spelling that these have: no padding, zero trailing bits. */
const tokenForm = /^[\w-]+\.[\w-]+\.[\w-]{85}[AQgw]$/

/**
 * The token in an `authorization` field. Attacker-controlled.
 *
 * @throws ProtocolError `token_missing`, or `token_invalid` for another scheme.
 */
export function tokenOf(field: string | undefined): string {
  if (field === undefined) throw new ProtocolError('token_missing', 'the request carries no access token')
  const prefix = `${tokenType} `
  if (!field.startsWith(prefix)) throw new ProtocolError('token_invalid', `the scheme must be ${tokenType}`)
  const token = field.slice(prefix.length)
  if (!tokenForm.test(token)) throw new ProtocolError('token_invalid', 'the access token is no JWT')
  return token
}

async function verifyToken(token: string, key: JWTVerifyGetKey, rules: TokenRules): Promise<VerifiedToken> {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, key, {
      algorithms: ['EdDSA'],
      issuer: rules.origin,
      audience: rules.origin,
      typ: 'at+jwt',
      requiredClaims: ['iat', 'exp', 'jti'],
      currentDate: new Date(rules.now * 1000),
      clockTolerance: rules.tolerance,
    })
    const { sub, client_id, sid, cnf, exp } = claims.parse(payload)
    const subject = { user: sub, appid: client_id, sid, device: cnf.jkt }
    return { subject, kid: protectedHeader.kid ?? '', expiresAt: exp }
  } catch (error) {
    if (error instanceof ProtocolError) throw error
    if (error instanceof errors.JWTExpired)
      throw new ProtocolError('token_expired', 'the access token has expired')
    throw new ProtocolError('token_invalid', 'the access token is not valid', error)
  }
}

async function importKey(key: ServiceKey): Promise<CryptoKey> {
  const jwk = {
    kty: 'OKP',
    crv: 'Ed25519',
    x: encodeBase64Url(key.publicKey),
    d: encodeBase64Url(key.secretKey.slice(0, 32)),
  }
  return (await importJWK(jwk, 'EdDSA')) as CryptoKey
}

async function verificationKey(keyring: Keyring, kid: string | undefined, now: number): Promise<CryptoKey> {
  const key = kid === undefined ? undefined : await keyring.findToken(kid, now)
  if (key === undefined) throw new errors.JWKSNoMatchingKey()
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: encodeBase64Url(key.publicKey) }
  return (await importJWK(jwk, 'EdDSA')) as CryptoKey
}
