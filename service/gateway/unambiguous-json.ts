/**
 * JSON that both the gateway and a backend interpret (docs/guides/integration.md, "JSON that a route judges"). Parsers
 * disagree about duplicate members, names in another case, large numbers and content codings. A policy for such content
 * could be bypassed, so it is refused.
 */
import { findField, type RequestMessage } from 'miniseal-protocol/frames/binary-http'
import { decodeUtf8 } from 'miniseal-protocol/text'
import { z } from 'zod'
import { parseJsonContent } from '../messages/content.ts'
import { ProblemError } from '../problems/problem-error.ts'

const contentType = /^application\/json(?:; ?charset=(?:utf-8|UTF-8))?$/

/** Without an exponent; with at most 15 digits, so that binary and decimal parsers compare it alike. */
const plainNumber = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$/
const maxDigits = 15

/** Control characters, at which some parsers cut a name, and lone surrogates, which some replace. */
const unsafe = /[\p{Cc}\p{Cs}]/u

const anyObject = z.record(z.string(), z.unknown())

/** Whether every parser reads this number exactly. @param text its form in the JSON */
export function isPlainNumber(text: string): boolean {
  return plainNumber.test(text) && text.replace(/[^0-9]/g, '').length <= maxDigits
}

/**
 * The strings and numbers among the members `names` of the JSON object in a request's content. Attacker-controlled.
 *
 * @throws ProblemError `payload_invalid` unless every JSON parser reads the same values: `application/json` in UTF-8, no
 *   content coding, no two top-level names that are equal to a parser that ignores case, none of `names` in another
 *   spelling, and numbers of at most 15 digits without an exponent.
 */
export function readMembers(
  message: RequestMessage,
  names: readonly string[],
): Readonly<Record<string, string | number>> {
  if (!contentType.test(findField(message.fields, 'content-type') ?? ''))
    throw invalid('the content must be application/json, in UTF-8')
  parseJsonContent(message, anyObject)
  const members = topMembers(decodeUtf8(message.content))
  const spellings = distinctSpellings(members)
  const found = new Map<string, string | number>()
  for (const name of names) {
    const spelling = spellings.get(foldedName(name))
    if (spelling === undefined) continue
    if (spelling !== name) throw invalid('the name of a member has another spelling')
    const value = scalarOf(members.get(name) ?? '')
    if (value !== undefined) found.set(name, value)
  }
  return Object.fromEntries(found)
}

/** The spelling of each name, by its folded form. */
function distinctSpellings(members: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const spellings = new Map<string, string>()
  for (const name of members.keys()) {
    if (unsafe.test(name)) throw invalid('the name of a member has control characters')
    const folded = foldedName(name)
    if (spellings.has(folded)) throw invalid('two members have the same name in different spellings')
    spellings.set(folded, name)
  }
  return spellings
}

/**
 * The same text for names that some parser treats as equal: compatibility composition (NFKC), case folding, without
 * invisible characters. JavaScript has no case folding; lower, upper and lower case again merge at least as much. `İ` is
 * an `i`, as for Java's `equalsIgnoreCase`.
 */
export function foldedName(name: string): string {
  return foldedOnce(foldedOnce(name)).normalize('NFKC')
}

function foldedOnce(name: string): string {
  // One character at a time: the lower case of a sigma depends on its neighbours.
  const characters = [...name.normalize('NFKC')]
  const lower = characters.map((one) => one.toLowerCase().toUpperCase().toLowerCase()).join('')
  return lower.replace(/\p{Default_Ignorable_Code_Point}/gu, '').replaceAll('i\u0307', 'i')
}

/** The value of a string or number token; `undefined` for any other. */
function scalarOf(token: string): string | number | undefined {
  if (token.startsWith('"')) {
    const text = String(JSON.parse(token))
    if (/\p{Cs}/u.test(text)) throw invalid('a string has a lone surrogate')
    return text
  }
  if (!/^[-0-9]/.test(token)) return undefined
  if (!isPlainNumber(token)) throw invalid('a number has an exponent, or more than 15 digits')
  return Number(token)
}

/**
 * The first token of each member of the outermost object.
 *
 * @param text valid JSON of an object without repeated members
 */
function topMembers(text: string): ReadonlyMap<string, string> {
  const members = new Map<string, string>()
  let depth = 0
  let name: string | undefined
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]]|[^\s{}[\]:,"]+/g)) {
    if (token === '}' || token === ']') depth -= 1
    else if (depth === 1 && name === undefined) name = String(JSON.parse(token))
    else if (depth === 1 && name !== undefined) {
      members.set(name, token)
      name = undefined
    }
    if (token === '{' || token === '[') depth += 1
  }
  return members
}

function invalid(detail: string): ProblemError {
  return new ProblemError('payload_invalid', detail)
}
