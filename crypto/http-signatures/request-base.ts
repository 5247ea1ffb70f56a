/** What a device signed, read back from the text that was signed: evidence (protocol, section 5; RFC 9421, section 2.5). */
import { FormatError, ProtocolError } from '../errors.ts'
import { signatureTags, suite1 } from '../primitives/suite.ts'
import { decodeBase64Url } from '../text.ts'
import { assertParameterNames, integerParameter, stringParameter, tagOf } from './signature-parameters.ts'
import { alwaysCovered, coveredWherePresent } from './signed-request.ts'
import type { InnerList } from './structured-fields.ts'
import { parseDictionary, serializeInnerList } from './structured-fields.ts'

/** A signature base that a device may sign for this protocol; nothing about it is verified. */
export interface RequestBase {
  /** UNIX seconds. */
  readonly created: number
  readonly keyid: string
  /** Of each covered component, by its name. */
  readonly values: ReadonlyMap<string, string>
}

const lastLine = '"@signature-params": '
const line = /^"([!#$%&'*+.^_`|~0-9a-z@-]+)": ([\t\x20-\x7e]*)$/

/**
 * Reads an attacker-controlled signature base of a request: the exact coverage, parameters and tag of the protocol, and
 * the only spelling that a signer may give them.
 *
 * @throws FormatError or ProtocolError for any other text
 */
export function parseRequestBase(base: string): RequestBase {
  const lines = base.split('\n')
  const input = innerListOf(lines.pop() ?? '')
  assertParameterNames(input)
  if (tagOf(input) !== signatureTags.request)
    throw new ProtocolError('tag_invalid', 'the tag is not miniseal')
  if (decodeBase64Url(stringParameter(input, 'nonce')).length !== suite1.signatureNonceLength)
    throw new FormatError('the nonce is not 16 bytes')
  const values = new Map(lines.map(componentOf))
  assertExactCoverage(input, [...values.keys()], lines.length)
  return { created: integerParameter(input, 'created'), keyid: stringParameter(input, 'keyid'), values }
}

function innerListOf(text: string): InnerList {
  if (text.slice(0, lastLine.length) !== lastLine)
    throw new FormatError('the base does not end with its parameters')
  const list = text.slice(lastLine.length)
  const members = parseDictionary(`sig=${list}`)
  const input = members.get('sig')
  if (members.size !== 1 || input?.kind !== 'inner-list' || serializeInnerList(input) !== list)
    throw new FormatError('the parameters of the base are not one inner list, strictly written')
  return input
}

function componentOf(text: string): readonly [string, string] {
  const [, name, value] = line.exec(text) ?? []
  if (name === undefined || value === undefined) throw new FormatError('a line of the base is no component')
  return [name, value]
}

/** The list of the parameters, the lines, and the order of the protocol are one. */
function assertExactCoverage(input: InnerList, names: readonly string[], lines: number): void {
  const expected = [...alwaysCovered, ...coveredWherePresent.filter((name) => names.indexOf(name) >= 0)]
  const listed = input.items.map(({ value, params }) =>
    value.kind === 'string' && params.size === 0 ? value.value : '',
  )
  const isExact = lines === names.length && names.join(' ') === expected.join(' ')
  if (!isExact || listed.join(' ') !== expected.join(' '))
    throw new ProtocolError('components_incomplete', `the base must cover exactly: ${expected.join(' ')}`)
}
