/**
 * Access tokens that were verified: the same one comes with every request of its ten minutes.
 *
 * What is remembered is that a signature was right. Whether its key is still in use, and whether the token's time is
 * over, is looked at every time; whether its session goes on, the claim of the request decides.
 */
import { LRUCache } from 'lru-cache'
import type { TokenSubject } from './tokens.ts'

/** A token whose signature, issuer, audience and form are right. */
export interface VerifiedToken {
  readonly subject: TokenSubject
  /** Of the key that signed. */
  readonly kid: string
  /** The first second at which it is over. */
  readonly expiresAt: number
}

/** Tokens kept: about 1 KB each. Only tokens of our own get here, so only logins can fill it. */
const maxEntries = 8_192

export function createVerifiedTokens(): LRUCache<string, VerifiedToken> {
  return new LRUCache({ max: maxEntries })
}
