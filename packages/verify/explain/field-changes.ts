/** What proxies, HTTP libraries and frameworks do to fields and status, and what signers do to parameters and base. */
import { createHash } from 'node:crypto'
import type { Field } from 'miniseal-protocol/frames/binary-http'
import { contentDigest } from 'miniseal-protocol/http-signatures/content-digest'
import type { BareItem, InnerList } from 'miniseal-protocol/http-signatures/structured-fields'
import { nodePrimitives } from '../primitives.ts'
import { bodyForms } from './body-forms.ts'
import type { Candidate, Change } from './candidate.ts'
import { firstField, otherOrders, withField } from './candidate.ts'
import type { FindingId } from './types.ts'

const jsonTypes = ['application/json', 'application/json; charset=utf-8', 'application/json;charset=utf-8']

/** @param lines the fields of the signed message as they arrived */
export function fieldChanges(candidate: Candidate, lines: readonly Field[]): readonly Change[] {
  const covered = candidate.input.items.flatMap(({ value, params }) =>
    value.kind === 'string' && !value.value.startsWith('@') && params.size === 0 ? [value.value] : [],
  )
  return [
    ...covered.flatMap((name) => valueChanges(name, lines)),
    ...(covered.includes('content-type') ? typeChanges(lines) : []),
    ...(covered.includes('content-digest') ? digestChanges(candidate) : []),
    ...statusChanges(candidate),
    ...parameterChanges(candidate.input),
  ]
}

function set(id: FindingId, name: string, value: string | undefined, detail = name): Change {
  return { id, part: `field ${name}`, detail, apply: (candidate) => withField(candidate, name, value) }
}

function valueChanges(name: string, lines: readonly Field[]): readonly Change[] {
  const values = lines.filter(([other]) => other === name).map(([, value]) => value.trim())
  if (values.length === 0) return formerValues(name, lines)
  const value = values.join(', ')
  const changes = [
    set('field-spaces', name, value.replace(/[ \t]+/g, ' ')),
    set('field-case', name, value.toLowerCase()),
    set('field-quotes', name, value.startsWith('"') ? value.slice(1, -1) : `"${value}"`),
  ]
  if (values.length > 1 || value.includes(','))
    changes.push(
      set('field-joined', name, value.replace(/\s*,\s*/g, ',')),
      set('field-joined', name, value.replace(/\s*,\s*/g, ', ')),
      set('field-joined', name, values.join('; ')),
      set('field-first', name, values[0]),
      set('field-first', name, values.at(-1)),
    )
  if (name === 'authorization')
    for (const scheme of ['HTTPSig', 'Bearer'])
      changes.push(set('field-scheme', name, value.replace(/^\S+/, scheme)))
  return changes
}

/** Values of a covered field that is absent: under a prefixed name, or a usual one. */
function formerValues(name: string, lines: readonly Field[]): readonly Change[] {
  const renamed = lines.flatMap(([other, value]) => (other.endsWith(`-${name}`) ? [value.trim()] : []))
  const usual = name === 'content-encoding' ? ['gzip', 'identity'] : []
  return [...renamed, ...usual].map((value) => set('field-gone', name, value))
}

function typeChanges(lines: readonly Field[]): readonly Change[] {
  const value = firstField(lines, 'content-type')?.trim() ?? ''
  const bare = value.split(';')[0]?.trim() ?? ''
  const id = value === '' ? 'field-gone' : 'type-charset'
  const charsets = ['', '; charset=utf-8', ';charset=utf-8', '; charset=UTF-8', ';charset=UTF-8']
  return [...jsonTypes, ...charsets.map((charset) => `${bare}${charset}`)].map((type) =>
    set(id, 'content-type', type),
  )
}

/** The digest of the current body and of its likely forms: the field was recomputed on the way, or removed. */
function digestChanges({ request, response }: Candidate): readonly Change[] {
  const content = (response ?? request)?.content ?? new Uint8Array(0)
  return [
    set('digest-recomputed', 'content-digest', contentDigest(nodePrimitives, content)),
    ...bodyForms(content).map(({ id, bytes }) =>
      set('digest-of-form', 'content-digest', contentDigest(nodePrimitives, bytes), id),
    ),
  ]
}

function statusChanges({ response }: Candidate): readonly Change[] {
  if (response === undefined) return []
  return [200, 201, 202, 204, 304, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503].map((status) => ({
    id: 'status',
    part: 'status',
    detail: String(status),
    apply: (candidate) => ({ ...candidate, response: { ...response, status } }),
  }))
}

function parameterChanges({ params }: InnerList): readonly Change[] {
  const entries = [...params]
  const change = (
    id: FindingId,
    detail: string,
    changed: readonly (readonly [string, BareItem])[],
  ): Change => ({
    id,
    part: 'parameters',
    detail,
    apply: (candidate) => ({ ...candidate, input: { ...candidate.input, params: new Map(changed) } }),
  })
  const created = params.get('created')
  const times = created?.kind === 'integer' ? [created.value * 1000, Math.floor(created.value / 1000)] : []
  return [
    ...(entries.length > 5 ? [] : otherOrders(entries)).map((order) =>
      change('parameters-order', order.map(([name]) => name).join(' '), order),
    ),
    ...entries.map(([name]) =>
      change(
        'parameters-less',
        name,
        entries.filter(([other]) => other !== name),
      ),
    ),
    change('parameters-more', 'alg="ed25519"', [...entries, ['alg', { kind: 'string', value: 'ed25519' }]]),
    ...times
      .filter((value) => value <= 999_999_999_999_999)
      .map((value) =>
        change('created', String(value), [
          ...new Map<string, BareItem>([...entries, ['created', { kind: 'integer', value }]]),
        ]),
      ),
  ]
}

/** A base that signers make by mistake: close to RFC 9421, section 2.5, but wrong. */
export interface BaseMistake {
  readonly id: FindingId
  readonly base: string
  /** The signed bytes, if they are not the text. */
  readonly bytes?: Uint8Array
}

/** @param label of the signature */
export function baseMistakes(base: string, label: string): readonly BaseMistake[] {
  const query = /\n"@query": (.*)\n/.exec(base)?.[1] ?? '?'
  const path = /\n"@path": (.*)\n/.exec(base)?.[1] ?? ''
  const mistakes: readonly BaseMistake[] = [
    { id: 'base-newline', base: `${base}\n` },
    { id: 'base-crlf', base: base.replaceAll('\n', '\r\n') },
    { id: 'base-hashed', base, bytes: createHash('sha256').update(base, 'latin1').digest() },
    { id: 'base-query', base: base.replace(`\n"@query": ${query}\n`, `\n"@query": ${query.slice(1)}\n`) },
    { id: 'base-query', base: base.replace(`\n"@query": ${query}\n`, '\n') },
    { id: 'base-path', base: base.replace(`\n"@path": ${path}\n`, `\n"@path": ${path}${query}\n`) },
    { id: 'base-params', base: base.slice(0, Math.max(0, base.lastIndexOf('\n'))) },
    { id: 'base-label', base: base.replace('"@signature-params": ', `"@signature-params": ${label}=`) },
    { id: 'base-quotes', base: base.replace(/^"([^"]+)": /gm, '$1: ') },
  ]
  return mistakes.filter((mistake) => mistake.bytes !== undefined || mistake.base !== base)
}
