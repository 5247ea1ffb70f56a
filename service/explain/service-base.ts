/** The base as the service told of it in development: by the lengths of its parts, where no change fits the digest. */
import { printable, shown } from './redaction.ts'
import type { Finding } from './report.ts'

/** Which components have another length at the service. `told` is the member `base_lengths`. Untrusted. */
export function lengthFindings(base: string, told: string | undefined): readonly Finding[] {
  const there = new Map(
    (told ?? '').split(' ').flatMap((part): (readonly [string, number])[] => {
      const [, name, digits] = /^(.{1,64})=([0-9]{1,6})$/.exec(part) ?? []
      return name === undefined ? [] : [[name, Number(digits)]]
    }),
  )
  if (there.size === 0) return [{ id: 'service-differs', detail: '' }]
  const here = new Map(
    base.split('\n').map((line) => {
      const end = line.indexOf('": ')
      return [line.slice(1, end), line.length - end - 3] as const
    }),
  )
  const names = [...new Set([...here.keys(), ...there.keys()])]
  const different = names.filter((name) => here.get(name) !== there.get(name))
  if (different.length === 0) return [{ id: 'service-same-lengths', detail: '' }]
  return different.map((name) => ({
    id: 'service-length',
    detail: `${printable(name)}: ${here.get(name) ?? '-'} / ${there.get(name) ?? '-'}`,
  }))
}

/** The detail of a change, as it may be shown: a path or a name, never a field's value. */
export function shownDetail(detail: string): string {
  return shown(detail.length > 300 ? `${detail.slice(0, 300)}…` : detail)
}
