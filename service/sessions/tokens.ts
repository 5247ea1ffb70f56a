/** Access tokens: JWTs of ten minutes, bound to the device key (protocol, section 6; RFC 9068, RFC 7800). */
import { randomUUID } from 'node:crypto'
import { type CryptoKey, errors, importJWK, type JWTVerifyGetKey, jwtVerify, SignJWT } from 'jose'
import { LRUCache } from 'lru-cache'
import { encodeBase64Url } from 'miniseal-protocol/text'
import { z } from 'zod'
import type { Keyring, ServiceKey } from '../keys/keyring.ts'
import { ProblemError } from '../problems/problem-error.ts'

/** Seconds. */
export const tokenLifetime = 600

/** The authentication scheme: not a bearer token, because a request needs a signature by the device key. */
export const tokenType = 'HTTPSig'

/** The claims of a token. */
export interface TokenSubject {
  readonly user: string
  readonly appid: string
  /** b64u of the session id. */
  readonly sid: string
  /** Thumbprint of the device key. */
  readonly device: string
}

/** `any` accepts an expired token, for its renewal only: the claim of the request checks the session. */
export type TokenAge = 'unexpired' | 'any'

export interface TokenIssuer {
  issue(subject: TokenSubject, now: number): Promise<string>
  /** @throws ProblemError `token_expired`, or `token_invalid` for everything else. */
  verify(token: string, now: number, age: TokenAge): Promise<TokenSubject>
}

const claims = z.object({
  sub: z.string().min(1),
  client_id: z.string().min(1),
  sid: z.string().min(1),
  cnf: z.strictObject({ jkt: z.string().min(1) }),
  exp: z.number(),
})

/**
 * A token whose signature, issuer, audience and form were verified; a client sends it for ten minutes. Key and lifetime are
 * checked for every request, and the claim of the request checks the session.
 */
interface VerifiedToken {
  readonly subject: TokenSubject
  /** The `kid` of the signing key. */
  readonly kid: string
  /** UNIX seconds: the first second after its lifetime. */
  readonly expiresAt: number
}

/** About 1 KB each. Only tokens of this service are cached. */
const maxVerified = 8_192

/** @param origin issuer and audience of every token */
export function createTokenIssuer(keyring: Keyring, origin: string): TokenIssuer {
  const verified = new LRUCache<string, VerifiedToken>({ max: maxVerified })
  const imported = new WeakMap<ServiceKey, Promise<CryptoKey>>()
  const privateKey = (key: ServiceKey): Promise<CryptoKey> => {
    const promise = imported.get(key) ?? importKey(key)
    imported.set(key, promise)
    return promise
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
      const cached = verified.get(token)
      const isCurrent = cached !== undefined && (age === 'any' || cached.expiresAt > now)
      if (isCurrent && (await keyring.findToken(cached.kid, now)) !== undefined) return cached.subject
      const key: JWTVerifyGetKey = ({ kid }) => verificationKey(keyring, kid, now)
      const tolerance = age === 'any' ? Number.MAX_SAFE_INTEGER : 0
      const result = await verifyToken(token, key, { origin, now, tolerance })
      verified.set(token, result)
      return result.subject
    },
  }
}

interface TokenRules {
  /** Issuer and audience. */
  readonly origin: string
  /** UNIX seconds. */
  readonly now: number
  /** Seconds after its expiry. */
  readonly tolerance: number
}

/** A compact JWS with a signature of 64 bytes, canonical: no padding, zero trailing bits. */
const tokenForm = /^[\w-]+\.[\w-]+\.[\w-]{85}[AQgw]$/

/**
 * The token in an `authorization` field. Attacker-controlled.
 *
 * @throws ProblemError `token_missing`, or `token_invalid` for another scheme.
 */
export function tokenOf(field: string | undefined): string {
  if (field === undefined) throw new ProblemError('token_missing', 'the request carries no access token')
  const prefix = `${tokenType} `
  if (!field.startsWith(prefix)) throw new ProblemError('token_invalid', `the scheme must be ${tokenType}`)
  const token = field.slice(prefix.length)
  if (!tokenForm.test(token)) throw new ProblemError('token_invalid', 'the access token is not a JWT')
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
    if (error instanceof errors.JWTExpired)
      throw new ProblemError('token_expired', 'the access token has expired')
    throw new ProblemError('token_invalid', 'the access token is not valid', { cause: error })
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
