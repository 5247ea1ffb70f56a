import { expect, it } from 'vitest'
import type { Field } from '../../../crypto/frames/binary-http.ts'
import { findPassedSignatures } from '../../../crypto/http-signatures/signed-response.ts'

const fields = (input: string, signature: string): readonly Field[] => [
  ['signature-input', input],
  ['signature', signature],
]

it('findPassedSignatures keeps labels and parameters', () => {
  const input = 'bank=("@status" "date");created=1;keyid="b", other=()'
  expect(findPassedSignatures(fields(input, 'bank=:AAAA:, other=:BBBB:'))).toEqual({
    inputs: input,
    signatures: 'bank=:AAAA:, other=:BBBB:',
  })
})

it('findPassedSignatures renames the label sig', () => {
  const inputs = 'sig=("@status"), upstream=("@method";req)'
  expect(findPassedSignatures(fields(inputs, 'sig=:AAAA:, upstream=:BBBB:'))).toEqual({
    inputs: 'upstream-2=("@status"), upstream=("@method";req)',
    signatures: 'upstream-2=:AAAA:, upstream=:BBBB:',
  })
})

it('findPassedSignatures renames sig to the first unused label', () => {
  const inputs = 'sig=("@status"), upstream=(), upstream-2=()'
  const signatures = 'sig=:AAAA:, upstream=:BBBB:, upstream-2=:CCCC:'
  expect(findPassedSignatures(fields(inputs, signatures))?.inputs).toBe(
    'upstream-3=("@status"), upstream=(), upstream-2=()',
  )
})

it('findPassedSignatures accepts fields of 8192 characters and refuses longer ones', () => {
  const input = (length: number) => `a=("${'x'.repeat(length - 6)}")`
  const signature = (label: string) => `${label}=:${'A'.repeat(8188)}:`
  expect(findPassedSignatures(fields(input(8192), signature('a')))).toEqual({
    inputs: input(8192),
    signatures: signature('a'),
  })
  expect(signature('a')).toHaveLength(8192)
  expect(findPassedSignatures(fields(input(8193), 'a=:AAAA:'))).toBeUndefined()
  expect(findPassedSignatures(fields('aa=()', signature('aa')))).toBeUndefined()
})

it.each([
  ['nothing', []],
  ['no signature for its input', [['signature-input', 'a=()']] as const],
  ['no input for its signature', [['signature', 'a=:AAAA:']] as const],
  ['an input that cannot be read', fields('a=((', 'a=:AAAA:')],
  ['a signature that cannot be read', fields('a=()', 'a=:AAAA')],
  ['an input that is no list', fields('a=1', 'a=:AAAA:')],
  ['a signature that is not bytes', fields('a=()', 'a="x"')],
  ['a signature with parameters', fields('a=()', 'a=:AAAA:;x')],
  ['the tag of the service’s answers', fields('a=();tag="miniseal-response"', 'a=:AAAA:')],
  ['a field twice', [...fields('a=()', 'a=:AAAA:'), ...fields('a=()', 'a=:AAAA:')]],
  ['more than a client reads', fields(`a=("${'x'.repeat(8192)}")`, 'a=:AAAA:')],
])('findPassedSignatures finds nothing in %s', (_title, given) => {
  expect(findPassedSignatures(given)).toBeUndefined()
})

it('findPassedSignatures drops a malformed signature and keeps the others', () => {
  expect(findPassedSignatures(fields('a=1, b=()', 'a=:AAAA:, b=:BBBB:'))).toEqual({
    inputs: 'b=()',
    signatures: 'b=:BBBB:',
  })
})
