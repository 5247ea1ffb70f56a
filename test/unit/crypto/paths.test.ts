import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import {
  assertPath,
  canonicalPath,
  decodedSegments,
  pathWithoutQuery,
} from '../../../crypto/http-signatures/message-rules.ts'

const runs = { numRuns: Number(process.env.TEST_PROPERTY_RUNS ?? 500) }

function isPath(text: string): boolean {
  try {
    assertPath(text)
    return true
  } catch (error) {
    if (error instanceof FormatError) return false
    throw error
  }
}

const plain = "abcXYZ019-._~!$&'()*+,=:@"
const encoded = [
  '%20',
  '%22',
  '%23',
  '%24',
  '%3A',
  '%3F',
  '%40',
  '%5B',
  '%60',
  '%7B',
  '%C3%A9',
  '%E5%8D%88',
  '%F0%9F%92%B0',
]
const refusedParts = [
  '%2F',
  '%5C',
  '%3B',
  '%25',
  '%00',
  '%7F',
  '%2E',
  '%41',
  '%7E',
  '%c3%a9',
  '%C3',
  '%ED%A0%80',
  '%',
  '%4',
  '%zz',
  '\\',
  ';',
  '#',
  ' ',
  '"',
  '<',
  '[',
  '^',
  '|',
  'é',
  '\n',
  '\0',
]
const segment = fc
  .string({ unit: fc.constantFrom(...plain, ...encoded), minLength: 1, maxLength: 8 })
  .filter((text) => text !== '.' && text !== '..')
const query = fc.string({
  unit: fc.constantFrom(...plain, ...encoded, ';', '/', '?', '%2F', '%00'),
  minLength: 1,
  maxLength: 8,
})
const path = fc
  .tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.boolean(), fc.option(query))
  .map(
    ([segments, isFolder, asked]) =>
      `/${segments.join('/')}${isFolder ? '/' : ''}${asked === null ? '' : `?${asked}`}`,
  )
/** What is near to a path, and mostly none. */
const nearlyPath = fc
  .array(fc.constantFrom('/', '/', '.', '..', '?', 'a', ...plain, ...encoded, ...refusedParts), {
    maxLength: 8,
  })
  .map((parts) => `/${parts.join('')}`)

/** Any segment that a path can hold, decoded. */
const text = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 6 })
  .filter((decoded) => !/[\p{Cc}/\\;%]/u.test(decoded) && decoded !== '.' && decoded !== '..')

it.each([
  '/',
  '/a',
  '/a/',
  '/a/b',
  '/...',
  '/a.',
  '/a?b',
  '/a/?b',
  '/a??',
  '/a?/../;%2F%00',
  '/%20',
  '/%E5%8D%88',
  '/a@b',
])('assertPath accepts %j', (accepted) => {
  expect(isPath(accepted)).toBe(true)
})

it.each([
  ...['', 'a', '//', '/a//', '//a', '/a//b', '/.', '/..', '/a/./b', '/a/..', '/..?a', '/a?', '/?', '/a#b'],
  ...['/a?%2f', '/a?%', '/a?b c', '/a?b#c', '/a?"', '/%E5%8D', '/%C0%AF', '/%F5%80%80%80', '/%2e', '/%2E%2E'],
])('assertPath refuses %j', (refused) => {
  expect(isPath(refused)).toBe(false)
})

it.each(refusedParts)('assertPath refuses %j in a segment', (part) => {
  expect(isPath(`/a${part}b`)).toBe(false)
})

it('assertPath accepts an escape unless the byte is unreserved, a control, or one of / \\ ; %', () => {
  for (let byte = 0; byte < 0x80; byte++) {
    const written = `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
    const isControl = byte < 0x20 || byte === 0x7f
    const isRefused = isControl || /[A-Za-z0-9._~\-/\\;%]/.test(String.fromCharCode(byte))
    expect({ written, taken: isPath(`/${written}`) }).toEqual({ written, taken: !isRefused })
  }
})

describe('every accepted path', () => {
  const assertOneReading = (accepted: string): void => {
    const place = pathWithoutQuery(accepted)
    const url = new URL(`https://example.com${accepted}`)
    expect(url.pathname).toBe(place)
    expect(new URL(accepted, 'https://example.com').pathname).toBe(place)
    // Cut and then decoded, decoded and then cut: no segment gains or loses a slash.
    const segments = decodedSegments(accepted)
    expect(segments).toEqual(place.slice(1).split('/').map(decodeURIComponent))
    expect(segments).toEqual(decodeURIComponent(place).slice(1).split('/'))
    // One canonical form, which is a path, of the same segments, and its own canonical form.
    const canonical = canonicalPath(accepted)
    assertPath(canonical)
    expect(decodedSegments(canonical)).toEqual(segments)
    expect(canonicalPath(canonical)).toBe(canonical)
  }

  it('every accepted path has one reading in URL parsers and after decoding, before or after splitting', () => {
    fc.assert(
      fc.property(path, (accepted) => {
        expect(isPath(accepted)).toBe(true)
        assertOneReading(accepted)
      }),
      runs,
    )
  })

  it('every accepted path among almost valid ones has one reading', () => {
    fc.assert(
      fc.property(nearlyPath, (candidate) => {
        if (isPath(candidate)) assertOneReading(candidate)
      }),
      runs,
    )
  })

  it('every list of segments has one canonical path', () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 4 }), (segments) => {
        // As any client may write them: everything encoded that encodeURIComponent encodes.
        const written = `/${segments.map(encodeURIComponent).join('/')}`
        expect(isPath(written)).toBe(true)
        expect(decodedSegments(written)).toEqual(segments)
        const canonical = canonicalPath(written)
        const again = `/${decodedSegments(canonical)
          .map((decoded) => encodeURIComponent(decoded).replace(/%(?:2[46BC]|3[AD]|40)/g, decodeURIComponent))
          .join('/')}`
        expect(again).toBe(canonical)
      }),
      runs,
    )
  })
})
