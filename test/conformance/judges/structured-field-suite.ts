/**
 * The working group's tests of structured fields (github.com/httpwg/structured-field-tests), against ours:
 * `npx tsx --conditions=source test/conformance/judges/structured-field-suite.ts FOLDER` with the folder they were cloned to. Of what the group accepts, only what `crypto/` says that
 * it leaves out may be refused; nothing that must fail may be accepted; and a value has the group's meaning and text.
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

/** What our subset leaves out (the header of `crypto/http-signatures/structured-fields.ts`). */
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

/** The group's way of writing a token and bytes in JSON, as ours. */
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

/** What became of a case; what is wrong begins with a capital letter. */
function judge({ raw = [], header_type: type, expected, must_fail, can_fail, canonical }: Case): string {
  if (type === 'list') return 'a list, which no signature has'
  let ours: ReturnType<typeof read>
  try {
    ours = read(raw.join(', '), type)
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    if (must_fail || can_fail) return 'refused, as it must or may be'
    return leftOut.includes(error.message) ? `left out: ${error.message}` : `REFUSED: ${error.message}`
  }
  if (must_fail) return 'ACCEPTED what must fail'
  const isSame = JSON.stringify(ours.meaning) === JSON.stringify(expectedMeaning(expected))
  if (!isSame) return 'ANOTHER MEANING'
  return ours.text === (canonical ?? raw).join(', ') ? 'read and written alike' : 'ANOTHER TEXT'
}

const [folder] = process.argv.slice(2)
if (folder === undefined) {
  console.error(
    'structured-field-suite.ts FOLDER: where github.com/httpwg/structured-field-tests was cloned to',
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
