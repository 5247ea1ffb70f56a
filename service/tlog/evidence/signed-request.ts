/** Whether what a device signed and what an entry says are the same request. */

import type { RequestBase } from 'miniseal-protocol/http-signatures/signed-request'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import { maxKeyLength } from '../disclosures.ts'

/** The window of the service, and the time that a request may have waited for the check, in seconds. */
const past = 130
const future = 70

/** The first member of the group `core` that is not what the device signed. */
export function differingMember({ values }: RequestBase, core: FlatObject): string | undefined {
  const query = values.get('@query') ?? ''
  const path = `${values.get('@path') ?? ''}${query === '?' ? '' : query}`
  // The log keeps the beginning of a long one.
  const key = values.get('idempotency-key')?.slice(0, maxKeyLength)
  if (core.method !== values.get('@method')) return 'the method'
  if (core.path !== path) return 'the path'
  if (core.idempotency_key !== key) return 'the Idempotency-Key'
  return undefined
}

/**
 * Whether a request with this signature can have arrived when the entry says.
 *
 * @param created UNIX seconds
 * @param loggedAt when the leaf was made, in milliseconds
 */
export function isOfItsTime(created: number, core: FlatObject, loggedAt: number): boolean {
  // Refused for its time: any time is right.
  if (core.refusal === 'window_invalid') return true
  const { started_at: startedAt, duration_ms: duration } = core
  const arrived =
    typeof startedAt === 'number'
      ? startedAt
      : (loggedAt - (typeof duration === 'number' ? duration : 0)) / 1000
  return created >= arrived - past && created <= arrived + future
}
