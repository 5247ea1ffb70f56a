/**
 * Sessions of auditors: a token to sign in, then a cookie.
 *
 * The signed cookie holds the digest of the token and two times. The digest alone does not authenticate; the account is read
 * with every request, so that revocation and sign-out take effect with the next request, in every process and for every
 * copy of the cookie.
 */
import { createHmac } from 'node:crypto'
import type { Context, MiddlewareHandler } from 'hono'
import { deleteCookie, getSignedCookie, setSignedCookie } from 'hono/cookie'
import { FormatError } from 'miniseal-protocol/errors'
import { decodeBase64Url, encodeBase64Url } from 'miniseal-protocol/text'
import { type Auditor, createAuditorFinder, findTokenDigest } from './accounts.ts'
import { type AuditDependencies, type AuditEnvironment, AuditRefused } from './context.ts'

/** Idle timeout in seconds. */
const idle = 1_800
/** Absolute timeout in seconds. */
const maxLength = 36_000
/** Minimum age at which the cookie is renewed; in seconds. */
const renewAfter = 60

/** The cookie key, derived from the lookup key. */
export function cookieKeyOf(lookupKey: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac('sha256', lookupKey).update('audit/cookie').digest())
}

interface SignedIn {
  readonly digest: Uint8Array
  /** UNIX seconds. */
  readonly since: number
  readonly seen: number
}

type SessionDependencies = Pick<AuditDependencies, 'store' | 'now' | 'origin' | 'cookieKey' | 'accountKey'>

export interface Sessions {
  /** Sets the cookie. @throws AuditRefused `token_refused` */
  signIn(c: Context, token: string): Promise<Auditor>
  /** Ends all sessions of the account, in all browsers and for all copies of a cookie. */
  signOut(c: Context): Promise<void>
  /** Requires a session. @throws AuditRefused `signed_out` */
  readonly guard: MiddlewareHandler<AuditEnvironment>
}

export function createSessions({ store, now, origin, cookieKey, accountKey }: SessionDependencies): Sessions {
  const find = createAuditorFinder(store, accountKey, now)
  const isSecure = origin.startsWith('https://')
  const name = isSecure ? '__Host-miniseal-audit' : 'miniseal-audit'
  const options = { httpOnly: true, sameSite: 'Strict', secure: isSecure, path: '/' } as const
  // A copy: WebCrypto does not accept views of memory that may be shared.
  const secret = new Uint8Array(cookieKey)
  const keep = async (c: Context, { digest, since }: SignedIn): Promise<void> => {
    const value = [encodeBase64Url(digest), since, now()].join('.')
    await setSignedCookie(c, name, value, secret, { ...options, maxAge: idle })
  }
  const read = async (c: Context): Promise<(SignedIn & { readonly auditor: Auditor }) | undefined> => {
    const signedIn = parseCookie(await getSignedCookie(c, secret, name))
    if (signedIn === undefined || !isFresh(signedIn, now())) return undefined
    const auditor = await find(signedIn.digest)
    return auditor === undefined || signedIn.since <= auditor.signedOutAt
      ? undefined
      : { ...signedIn, auditor }
  }
  return {
    async signIn(c, token) {
      const digest = findTokenDigest(token)
      const auditor = digest === undefined ? undefined : await find(digest)
      if (digest === undefined || auditor === undefined) throw new AuditRefused('token_refused')
      // A sign-in in the second of a sign-out must be newer than it.
      await keep(c, { digest, since: Math.max(now(), auditor.signedOutAt + 1), seen: now() })
      return auditor
    },
    async signOut(c) {
      const signedIn = await read(c)
      if (signedIn !== undefined)
        await store.commit([{ kind: 'sign-out-auditor', name: signedIn.auditor.name, now: now() }])
      deleteCookie(c, name, options)
    },
    async guard(c, next) {
      const signedIn = await read(c)
      if (signedIn === undefined) throw new AuditRefused('signed_out')
      if (now() - signedIn.seen >= renewAfter) await keep(c, signedIn)
      c.set('auditor', signedIn.auditor)
      await next()
    },
  }
}

function isFresh({ since, seen }: SignedIn, now: number): boolean {
  return now - since < maxLength && now - seen < idle
}

/** `undefined` for a missing or wrongly signed cookie. */
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
