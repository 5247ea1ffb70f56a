/** What somebody types into the one field: `name:value`, or a value whose form says what it is. */
import { type FilterName, filterNames } from '../api/search.ts'
import type { Filters } from './location.ts'

const forms: readonly (readonly [FilterName, RegExp])[] = [
  ['receipt', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/],
  ['receipt', /^:?[A-Za-z0-9_+/-]{43}=?:?$/],
  ['receipt', /^[0-9a-f]{64}$/],
  ['user', /^u_[\x21-\x7e]+$/],
  ['path', /^\/\S*$/],
  ['ip', /^\d{1,3}(\.\d{1,3}){3}$/],
  ['ip', /^[0-9a-f:]*:[0-9a-f:.]+$/i],
  ['code', /^[a-z0-9]+(_[a-z0-9]+)*$/],
]

/** `undefined` where nothing is understood. The service reads the word itself again, strictly. */
export function parseSearch(typed: string): Filters | undefined {
  const [, named = '', value = ''] = /^([a-z]+):\s*(.+)$/.exec(typed) ?? []
  const name = filterNames.find((known) => known === named)
  if (name !== undefined) return { [name]: value }
  const form = forms.find(([, pattern]) => pattern.test(typed))
  return form === undefined ? undefined : { [form[0]]: form[0] === 'ip' ? typed.toLowerCase() : typed }
}
