/** Room for what a request makes the service store: on the disk, and in the quota of who sent it. */
import type { RequestMessage } from 'miniseal-protocol/frames/binary-http'
import { findField } from 'miniseal-protocol/frames/binary-http'
import type { StorageOwner } from '../limits/rate-limits.ts'
import { atStepAsync } from '../problems/problem-error.ts'
import type { Answer } from './answer.ts'
import type { ExchangeContext } from './context.ts'
import { mayHaveEffect, outcomesPath } from './idempotency.ts'

/** Asking what came of a request is always possible. */
function stores(request: RequestMessage): boolean {
  return mayHaveEffect(request) && !request.path.startsWith(outcomesPath)
}

/**
 * Before anything is claimed, so that nothing is known of the key.
 *
 * @throws Refusal at step `limits`: `unavailable` while the disk is nearly full, `rate_limited` over the day's quota.
 */
export async function assertStorable(
  { disk, limits }: ExchangeContext,
  storer: StorageOwner,
  request: RequestMessage,
): Promise<void> {
  if (!stores(request)) return
  await atStepAsync('limits', async () => {
    disk.assertSpace()
    await limits.storage.assertWithin(storer)
  })
}

/** Counts an answer that is kept. One that was kept before costs nothing. */
export async function chargeStored(
  { limits }: ExchangeContext,
  storer: StorageOwner,
  request: RequestMessage,
  { reply }: Answer,
): Promise<void> {
  if (!stores(request) || findField(reply.fields, 'idempotency-replayed') !== undefined) return
  const fields = reply.fields.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  await limits.storage.charge(storer, reply.content.length + fields)
}
