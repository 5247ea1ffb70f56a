/** From a command to a reply: the channel's own routes decide, everything else is the backend's. */
import type { ResponseMessage } from '../../crypto/binary-http.ts'
import { findField } from '../../crypto/binary-http.ts'
import { ProtocolError, refuseFormat } from '../../crypto/errors.ts'
import { parseItem } from '../../crypto/structured-fields.ts'
import { decideSession } from '../sessions/routes.ts'
import type { Write } from '../store/store.ts'
import type { Command } from './authorize.ts'
import { assertCommand } from './authorize.ts'
import type { ExchangeContext } from './context.ts'
import { check, checkAsync } from './refused.ts'

/** What one of the channel's own handlers wants to happen; the exchange makes it so, then releases the reply. */
export interface Decision {
  readonly reply: ResponseMessage
  readonly writes: readonly Write[]
}

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Unsafe routes that are harmless when repeated (protocol, section 5). */
const withoutIdempotencyKey: ReadonlySet<string> = new Set(['/sessions', '/events/subscription'])

/**
 * Answers a command.
 *
 * @throws Refused `idempotency_missing`, `not_found`, `upstream_unavailable`, `unavailable`, or what a handler refuses.
 */
export async function carryOut(context: ExchangeContext, command: Command): Promise<ResponseMessage> {
  assertCommand(command)
  check('idempotency', () => assertIdempotencyKey(command))
  return await checkAsync('handler', async () => {
    const decision = await decideSession(context, command)
    if (decision === undefined) return await context.backend.answer(command.message, command.caller)
    if (decision.writes.length === 0) return decision.reply
    const result = await context.store.commit(decision.writes)
    if (result.kind === 'committed') return decision.reply
    throw new ProtocolError('not_found', 'what the request is about is no longer there')
  })
}

function assertIdempotencyKey({ message }: Command): void {
  if (safeMethods.has(message.method)) return
  if (message.method === 'POST' && withoutIdempotencyKey.has(message.path)) return
  const field = findField(message.fields, 'idempotency-key')
  if (field === undefined)
    throw new ProtocolError('idempotency_missing', 'the request needs an Idempotency-Key')
  const { value, params } = refuseFormat('idempotency_missing', () => parseItem(field))
  if (value.kind !== 'string' || value.value === '' || value.value.length > 255 || params.size > 0) {
    throw new ProtocolError(
      'idempotency_missing',
      'the Idempotency-Key must be a string of 1 to 255 characters',
    )
  }
}
