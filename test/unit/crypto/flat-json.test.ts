import { expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import { jsonObject, parseJson } from '../../../crypto/json.ts'
import { encodeFlat, flatMembers } from '../../../crypto/tlog/flat-json.ts'

const scalars = [null, true, [1], { a: 1 }, undefined]
const notObjects = [null, 'text', 7, true, [1], undefined]

it('encodeFlat sorts members by name and writes no white space', () => {
  expect(encodeFlat({ b: 'x"y', a: -7, a_0: 'é\u{1f600}' })).toBe('{"a":-7,"a_0":"é\u{1f600}","b":"x\\"y"}')
})

it.each([...scalars, 0.5, 2 ** 53, Number.NaN, '\ud800'])('encodeFlat refuses the value %j', (value) => {
  expect(() => encodeFlat({ a: value as string })).toThrow(FormatError)
})

it.each(['', 'A', '0a', 'a-b', '__proto__', 'a'.repeat(41)])('encodeFlat refuses the name %j', (name) => {
  expect(() => encodeFlat(Object.fromEntries([[name, 1]]))).toThrow(new FormatError('invalid member name'))
})

it('flatMembers returns the members of an object', () => {
  expect(flatMembers({ b: 'x', a: 1 })).toEqual({ b: 'x', a: 1 })
})

it.each(scalars)('flatMembers refuses the value %j', (value) => {
  expect(() => flatMembers({ a: value })).toThrow(new FormatError('neither a string nor a number'))
})

it.each(notObjects)('flatMembers refuses %j', (value) => {
  expect(() => flatMembers(value)).toThrow(new FormatError('not a JSON object'))
})

it.each(['', '{', 'undefined', "{'a':1}"])('parseJson refuses %j', (text) => {
  expect(() => parseJson(text)).toThrow(new FormatError('invalid JSON'))
})

it.each(notObjects)('jsonObject refuses %j', (value) => {
  expect(() => jsonObject(value)).toThrow(new FormatError('not a JSON object'))
})
