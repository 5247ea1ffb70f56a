/** What proxies, HTTP libraries and frameworks do to header fields, and what signers do to parameters. */
import type { Field } from 'miniseal-protocol/frames/binary-http'
import { contentDigest } from 'miniseal-protocol/http-signatures/content-digest'
import type { BareItem, InnerList } from 'miniseal-protocol/http-signatures/structured-fields'
import { sodiumPrimitives as primitives } from '../keys/sodium-primitives.ts'
import { bodyForms } from './body-forms.ts'
import type { Change, Material } from './material.ts'
import { withField } from './material.ts'
import type { MessageId } from './words-en.ts'

/** Content types that a covered field may have had before somebody took it away or rewrote it. */
const commonTypes = [
  'application/json',
  'application/json; charset=utf-8',
  'application/json;charset=utf-8',
  'application/json; charset=UTF-8',
  'application/json;charset=UTF-8',
] as const

/** @param lines the fields of the signed message as they stood */
export function fieldChanges(material: Material, lines: readonly Field[]): readonly Change[] {
  const covered = coveredFields(material.input)
  return [
    ...covered.flatMap((name) => oneField(name, lines)),
    ...(covered.includes('content-type') ? typeChanges(lines) : []),
    ...(covered.includes('content-digest') ? digestChanges(material) : []),
    ...statusChanges(material),
    ...parameterChanges(material.input),
  ]
}

/** Names of whole fields of the signed message itself. */
function coveredFields({ items }: InnerList): readonly string[] {
  return items.flatMap(({ value, params }) => {
    return value.kind === 'string' && !value.value.startsWith('@') && params.size === 0 ? [value.value] : []
  })
}

function set(id: MessageId, name: string, value: string | undefined): Change {
  return { id, part: `field ${name}`, detail: name, apply: (material) => withField(material, name, value) }
}

function oneField(name: string, lines: readonly Field[]): readonly Change[] {
  const values = lines.filter(([other]) => other === name).map(([, value]) => value)
  const value = values.map((one) => one.trim()).join(', ')
  if (values.length === 0) return guesses(name, lines)
  const repeated = values.length > 1 || value.includes(',')
  return [
    set('field-spaces', name, value.replace(/[ \t]+/g, ' ')),
    set('field-case', name, value.toLowerCase()),
    set('field-quotes', name, value.startsWith('"') ? value.slice(1, -1) : `"${value}"`),
    ...(repeated
      ? [
          set('field-joined', name, value.replace(/\s*,\s*/g, ',')),
          set('field-joined', name, value.replace(/\s*,\s*/g, ', ')),
          set('field-joined', name, values.join('; ')),
          set('field-first', name, values[0]?.trim()),
          set('field-first', name, values.at(-1)?.trim()),
        ]
      : []),
    ...(name === 'authorization'
      ? ['HTTPSig', 'Bearer', 'httpsig', 'bearer'].map((scheme) =>
          set('field-scheme', name, value.replace(/^\S+/, scheme)),
        )
      : []),
  ]
}

/** A covered field that is not there any more: where it may have gone, and what it usually is. */
function guesses(name: string, lines: readonly Field[]): readonly Change[] {
  const moved = lines.flatMap(([other, value]) => (other.endsWith(`-${name}`) ? [value.trim()] : []))
  const usual = name === 'content-encoding' ? ['gzip', 'identity'] : []
  return [...moved, ...usual].map((value) => set('field-gone', name, value))
}

function typeChanges(lines: readonly Field[]): readonly Change[] {
  const value = lines.find(([name]) => name === 'content-type')?.[1].trim() ?? ''
  const bare = value.split(';')[0]?.trim() ?? ''
  const id = value === '' ? 'field-gone' : 'type-charset'
  const spelled = ['', '; charset=utf-8', ';charset=utf-8', '; charset=UTF-8', ';charset=UTF-8']
  return [...commonTypes, ...spelled.map((suffix) => `${bare}${suffix}`)].map((type) =>
    set(id, 'content-type', type),
  )
}

/** The digest of the body as it is now, and of what it may have been: the field was made anew on the way, or is gone. */
function digestChanges({ request, response }: Material): readonly Change[] {
  const content = (response ?? request)?.content ?? new Uint8Array(0)
  const forms = [{ id: 'as-it-is', bytes: content }, ...bodyForms(content)]
  return forms.flatMap(({ id, bytes }) => {
    const digest = contentDigest(primitives, bytes)
    const name = id === 'as-it-is' ? 'digest-recomputed' : 'digest-of-form'
    const made = set(name, 'content-digest', digest)
    return [{ ...made, detail: id === 'as-it-is' ? 'content-digest' : id }]
  })
}

function statusChanges({ response }: Material): readonly Change[] {
  if (response === undefined) return []
  return [200, 201, 202, 204, 304, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503].map((status) => ({
    id: 'status',
    part: 'status',
    detail: String(status),
    apply: (material) => ({ ...material, response: { ...response, status } }),
  }))
}

function parameterChanges(input: InnerList): readonly Change[] {
  const change = (id: MessageId, detail: string, params: InnerList['params']): Change => ({
    id,
    part: 'parameters',
    detail,
    apply: (material) => ({ ...material, input: { ...material.input, params } }),
  })
  const entries = [...input.params]
  const created = input.params.get('created')
  const text = (value: string): BareItem => ({ kind: 'string', value })
  return [
    ...orders(entries).map((order) =>
      change('parameters-order', order.map(([name]) => name).join(' '), new Map(order)),
    ),
    ...entries.map(([name]) =>
      change('parameters-less', name, new Map(entries.filter(([other]) => other !== name))),
    ),
    change('parameters-more', 'alg="ed25519"', new Map([...entries, ['alg', text('ed25519')]])),
    ...(created?.kind === 'integer'
      ? [created.value * 1000, Math.floor(created.value / 1000)]
          .filter((value) => value <= 999_999_999_999_999)
          .map((value) =>
            change('created', String(value), new Map([...entries, ['created', { kind: 'integer', value }]])),
          )
      : []),
  ]
}

type Entry = readonly [string, BareItem]

function orders(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  if (entries.length < 2 || entries.length > 5) return []
  return permute(entries).slice(1)
}

function permute(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  if (entries.length < 2) return [entries]
  return entries.flatMap((first, index) =>
    permute(entries.filter((_, other) => other !== index)).map((order) => [first, ...order]),
  )
}
