/** Authorize: the access token, and its binding to the session and the key that signed (protocol, section 6). */
import { findField } from 'miniseal-protocol/frames/binary-http'
import { encodeBase64Url } from 'miniseal-protocol/text'
import { atStepAsync, ProblemError } from '../problems/problem-error.ts'
import type { TokenSubject } from '../sessions/tokens.ts'
import { tokenOf } from '../sessions/tokens.ts'
import type { ExchangeContext } from './context.ts'
import type { Routing } from './routes/table.ts'
import type { VerifiedRequest } from './verify.ts'

const authorized: unique symbol = Symbol('authorized')

/** Made only by {@link authorizeRequest}. */
export interface AuthorizedRequest extends VerifiedRequest, Routing {
  readonly [authorized]: true
  readonly subject: TokenSubject
}

/** @throws Refusal `token_missing`, `token_invalid`, `token_expired` or `token_key_mismatch`. */
export async function authorizeRequest(
  context: ExchangeContext,
  request: VerifiedRequest,
  { route, policy }: Routing,
): Promise<AuthorizedRequest> {
  const { message, signature, opened } = request
  const subject = await atStepAsync('token', async () => {
    const token = tokenOf(findField(message.fields, 'authorization'))
    const claims = await context.tokens.verify(token, context.now(), policy.tokenAge)
    if (claims.device !== signature.keyid)
      throw new ProblemError('token_key_mismatch', 'the access token is bound to another key')
    if (claims.sid !== encodeBase64Url(opened.session.id) || claims.user !== opened.session.user)
      throw new ProblemError('token_invalid', 'the access token belongs to another session')
    return claims
  })
  return { ...request, [authorized]: true, subject, route, policy }
}
