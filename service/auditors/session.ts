/**
 * Signing in to the pages: a token once, then a cookie.
 *
 * The cookie holds the digest of the token, signed, and two times. The digest opens nothing by itself, and leads to the
 * account, which is looked at with every request: a revocation holds from the next one on, in every process.
 */
import { createHmac } from 'node:crypto'
import type { Context, MiddlewareHandler } from 'hono'
import { deleteCookie, getSignedCookie, setSignedCookie } from 'hono/cookie'
import { FormatError } from '../../crypto/errors.ts'
import { decodeBase64Url, encodeBase64Url } from '../../crypto/text.ts'
import type { Auditor } from './accounts.ts'
import { createAuditorFinder, findTokenDigest } from './accounts.ts'
import type { AuditEnvironment, AuditParts } from './parts.ts'
import { AuditRefused } from './problems.ts'

/** A cookie that is not used for so long is over; in seconds. */
const idle = 1_800
/** Nobody stays signed in for longer; in seconds. */
const longest = 36_000
/** A cookie that is younger is not written anew; in seconds. */
const renewAfter = 60

/** What signs the cookies of a service: made from the lookup key, which every process has and nothing else signs with. */
export function cookieKeyOf(lookupKey: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac('sha256', lookupKey).update('audit/cookie').digest())
}

interface SignedIn {
  readonly digest: Uint8Array
  /** UNIX seconds. */
  readonly since: number
  readonly seen: number
}

type SessionParts = Pick<AuditParts, 'store' | 'now' | 'origin' | 'cookieKey' | 'accountKey'>

export interface Sessions {
  /** Sets the cookie. @throws AuditRefused `token_refused` */
  signIn(c: Context, token: string): Promise<Auditor>
  signOut(c: Context): void
  /** Lets those through who are signed in. @throws AuditRefused `signed_out` */
  readonly guard: MiddlewareHandler<AuditEnvironment>
}

export function createSessions({ store, now, origin, cookieKey, accountKey }: SessionParts): Sessions {
  const find = createAuditorFinder(store, accountKey, now)
  const isSecure = origin.startsWith('https://')
  const name = isSecure ? '__Host-miniseal-audit' : 'miniseal-audit'
  const options = { httpOnly: true, sameSite: 'Strict', secure: isSecure, path: '/' } as const
  // A copy: WebCrypto takes no view that might be shared.
  const secret = new Uint8Array(cookieKey)
  const keep = async (c: Context, { digest, since }: SignedIn): Promise<void> => {
    const value = [encodeBase64Url(digest), since, now()].join('.')
    await setSignedCookie(c, name, value, secret, { ...options, maxAge: idle })
  }
  return {
    async signIn(c, token) {
      const digest = findTokenDigest(token)
      const auditor = digest === undefined ? undefined : await find(digest)
      if (digest === undefined || auditor === undefined) throw new AuditRefused('token_refused')
      await keep(c, { digest, since: now(), seen: now() })
      return auditor
    },
    signOut: (c) => {
      deleteCookie(c, name, options)
    },
    async guard(c, next) {
      const signedIn = parseCookie(await getSignedCookie(c, secret, name))
      const isOver = signedIn === undefined || !isFresh(signedIn, now())
      const auditor = isOver ? undefined : await find(signedIn.digest)
      if (signedIn === undefined || auditor === undefined) throw new AuditRefused('signed_out')
      if (now() - signedIn.seen >= renewAfter) await keep(c, signedIn)
      c.set('auditor', auditor)
      await next()
    },
  }
}

function isFresh({ since, seen }: SignedIn, now: number): boolean {
  return now - since < longest && now - seen < idle
}

/** `undefined` for what we have not signed: `false` and `undefined` of the cookie's reader. */
function parseCookie(value: string | false | undefined): SignedIn | undefined {
  if (value === undefined || value === false) return undefined
  const [, hash = '', since, seen] = /^([A-Za-z0-9_-]{43})\.([0-9]{1,12})\.([0-9]{1,12})$/.exec(value) ?? []
  try {
    return hash === ''
      ? undefined
      : { digest: decodeBase64Url(hash), since: Number(since), seen: Number(seen) }
  } catch (error) {
    if (error instanceof FormatError) return undefined
    throw error
  }
}
