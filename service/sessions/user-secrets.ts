/** Where a user's secrets of WeChat are wrapped. */
import type { SecretPlace } from '../keys/wrapping.ts'

/** The place of one of a user's wrapped columns; whoever wraps and whoever unwraps must name the same one. */
export function userSecretPlace(column: 'openid_wrapped' | 'session_key_wrapped', user: string): SecretPlace {
  return { column: `users.${column}`, row: user }
}
