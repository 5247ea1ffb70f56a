/**
 * Runs the structured field tests of the HTTP working group (github.com/httpwg/structured-field-tests, cloned to FOLDER):
 * `npx tsx --conditions=source test/conformance/judges/structured-field-suite.ts FOLDER`. Our parser may refuse a valid
 * field only for a feature outside its subset, must refuse every invalid field, and must agree on values and serialization.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { FormatError } from '../../../crypto/errors.ts'
import {
  type BareItem,
  type InnerList,
  type Item,
  type Parameters,
  parseDictionary,
  parseItem,
  serializeDictionary,
  serializeItem,
} from '../../../crypto/http-signatures/structured-fields.ts'

const cases = z.array(
  z.object({
    name: z.string(),
    raw: z.array(z.string()).optional(),
    header_type: z.enum(['item', 'list', 'dictionary']),
    expected: z.unknown().optional(),
    must_fail: z.boolean().optional(),
    can_fail: z.boolean().optional(),
    canonical: z.array(z.string()).optional(),
  }),
)
type Case = z.infer<typeof cases>[number]

/** Refusals of features outside the subset (see `crypto/http-signatures/structured-fields.ts`). */
const leftOut = [
  'decimals are not supported',
  'not a bare item of a supported type',
  'key repeated',
  'structured field too long',
]

const bareMeaning = (bare: BareItem): unknown =>
  bare.kind === 'bytes'
    ? { bytes: [...bare.value] }
    : bare.kind === 'token'
      ? { token: bare.value }
      : bare.value
const paramsMeaning = (params: Parameters): unknown =>
  [...params].map(([key, bare]) => [key, bareMeaning(bare)])
const meaning = (member: Item | InnerList): unknown =>
  member.kind === 'item'
    ? [bareMeaning(member.value), paramsMeaning(member.params)]
    : [member.items.map(meaning), paramsMeaning(member.params)]

/** RFC 4648, section 6. */
function decodeBase32(text: string): number[] {
  const digits = [...text.replace(/=*$/, '')].map((digit) =>
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(digit),
  )
  const bits = digits.map((digit) => digit.toString(2).padStart(5, '0')).join('')
  return (bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2))
}

/** Tokens and bytes as the tests write them in JSON. */
const typed = z.object({ __type: z.enum(['token', 'binary']), value: z.string() })
function expectedMeaning(value: unknown): unknown {
  const { success, data } = typed.safeParse(value)
  if (success) return data.__type === 'token' ? { token: data.value } : { bytes: decodeBase32(data.value) }
  return Array.isArray(value) ? value.map(expectedMeaning) : value
}

function read(text: string, type: 'item' | 'dictionary'): { meaning: unknown; text: string } {
  if (type === 'item') {
    const item = parseItem(text)
    return { meaning: meaning(item), text: serializeItem(item) }
  }
  const members = parseDictionary(text)
  return {
    meaning: [...members].map(([key, member]) => [key, meaning(member)]),
    text: serializeDictionary(members),
  }
}

/** The result of a case; failures begin with a capital letter. */
function judge({ raw = [], header_type: type, expected, must_fail, can_fail, canonical }: Case): string {
  if (type === 'list') return 'a list, which is not supported'
  let ours: ReturnType<typeof read>
  try {
    ours = read(raw.join(', '), type)
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    if (must_fail || can_fail) return 'refused, as required or allowed'
    return leftOut.includes(error.message)
      ? `outside the subset: ${error.message}`
      : `REFUSED: ${error.message}`
  }
  if (must_fail) return 'ACCEPTED an invalid field'
  const isSame = JSON.stringify(ours.meaning) === JSON.stringify(expectedMeaning(expected))
  if (!isSame) return 'DIFFERENT VALUE'
  return ours.text === (canonical ?? raw).join(', ') ? 'same value and text' : 'DIFFERENT TEXT'
}

const [folder] = process.argv.slice(2)
if (folder === undefined) {
  console.error(
    'usage: structured-field-suite.ts FOLDER (a clone of github.com/httpwg/structured-field-tests)',
  )
  process.exit(2)
}
const counts = new Map<string, number>()
for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
  for (const one of cases.parse(JSON.parse(readFileSync(join(folder, file), 'utf8')))) {
    const verdict = judge(one)
    counts.set(verdict, (counts.get(verdict) ?? 0) + 1)
    if (!/^[A-Z]/.test(verdict)) continue
    console.error(`${file}: ${one.name}: ${verdict}`)
    process.exitCode = 1
  }
}
console.table([...counts].sort(([, one], [, other]) => other - one).map(([what, cases]) => ({ what, cases })))
