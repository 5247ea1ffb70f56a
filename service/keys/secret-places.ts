/** Where each wrapped column's secrets are bound to: what `SecretContext` is for a row of the database. */
import { encodeHex } from 'miniseal-protocol/text'
import type { RowKey, WrappedColumn } from '../store/wrapped-values.ts'
import type { SecretContext } from './wrapping.ts'

/** Every column with wrapped secrets, those that a service cannot start without first. */
export const wrappedColumns: readonly WrappedColumn[] = [
  'service_keys.secret_wrapped',
  'sessions.c2s_wrapped',
  'sessions.s2c_wrapped',
  'users.openid_wrapped',
  'users.session_key_wrapped',
  'idempotency_keys.response_wrapped',
  'events.payload_wrapped',
  'subject_keys.key_wrapped',
]

/** @param row the primary key, in the order of its columns */
export function secretContext(column: WrappedColumn, row: RowKey): SecretContext {
  const parts = row.map((part) => (typeof part === 'string' ? part : encodeHex(part)))
  return { column, row: parts.join(column.startsWith('service_keys.') ? '/' : '\n') }
}
