/** A parser under test: any bytes are read or refused, and what is read has one form. */
import { equalBytes } from '../../../crypto/bytes.ts'
import { encodeUtf8 } from '../../../crypto/text.ts'

type ErrorClass = new (...args: never[]) => Error

export interface Target {
  readonly name: string
  /** Input that is read, and input that is nearly. */
  readonly seeds: readonly Uint8Array[]
  /** What it refuses with: these classes themselves, so that a TypeError is none of them. */
  readonly refusals: readonly ErrorClass[]
  /** @throws one of the refusals; anything else, a {@link Broken} with it, is a finding. */
  readonly run: (bytes: Uint8Array) => void
}

/** What was read does not keep a promise of its parser. */
export class Broken extends Error {}

/**
 * Runs one input.
 *
 * @returns whether it was read
 * @throws the finding
 */
export function tryInput(target: Target, bytes: Uint8Array): boolean {
  try {
    target.run(bytes)
    return true
  } catch (error) {
    if (error instanceof Error && target.refusals.some((refusal) => error.constructor === refusal))
      return false
    throw error
  }
}

/**
 * `one`: what is read is exactly what its encoder writes. `stable`: what the encoder writes of it is read as the same.
 * `padded`: as
 * `one`, but for zeros at the end, of which there may be more, or fewer.
 */
export type Form = 'one' | 'stable' | 'padded'

function assertForm<T>(
  bytes: Uint8Array,
  read: T,
  encode: (value: T) => Uint8Array,
  parse: (bytes: Uint8Array) => T,
  form: Form,
): void {
  const written = encode(read)
  if (form === 'stable') {
    if (!equalBytes(encode(parse(written)), written))
      throw new Broken('what was written is read as something else')
    return
  }
  const length = Math.min(bytes.length, written.length)
  const isSame = equalBytes(bytes.subarray(0, length), written.subarray(0, length))
  const rest = [...bytes.subarray(length), ...written.subarray(length)]
  if (!isSame || (form === 'one' ? rest.length > 0 : rest.some((byte) => byte !== 0)))
    throw new Broken('two encodings of one value are read')
}

export interface BinaryParts<T> {
  readonly seeds: readonly Uint8Array[]
  readonly refusals: readonly ErrorClass[]
  readonly parse: (bytes: Uint8Array) => T
  readonly encode?: (value: T) => Uint8Array
  readonly form?: Form
}

export function binaryTarget<T>(name: string, parts: BinaryParts<T>): Target {
  const { seeds, refusals, parse, encode, form = 'one' } = parts
  return {
    name,
    seeds,
    refusals,
    run(bytes) {
      const before = bytes.slice()
      const read = parse(bytes)
      if (!equalBytes(bytes, before)) throw new Broken('the input was changed')
      if (encode !== undefined) assertForm(bytes, read, encode, parse, form)
    },
  }
}

export interface TextParts<T> {
  readonly seeds: readonly string[]
  readonly refusals: readonly ErrorClass[]
  readonly parse: (text: string) => T
  readonly encode?: (value: T) => string
  readonly form?: Form
}

const lenient = new TextDecoder('utf-8', { ignoreBOM: true })

/** As a text parser is called, its input is a string already; bytes that are no UTF-8 are U+FFFD in it. */
function textOf(bytes: Uint8Array): string {
  return lenient.decode(bytes)
}

export function textTarget<T>(name: string, parts: TextParts<T>): Target {
  const { seeds, refusals, parse, encode, form } = parts
  const target = binaryTarget<T>(name, {
    seeds: seeds.map(encodeUtf8),
    refusals,
    parse: (bytes) => parse(textOf(bytes)),
    ...(encode === undefined ? {} : { encode: (value: T) => encodeUtf8(encode(value)) }),
    ...(form === undefined ? {} : { form }),
  })
  // Input that is no UTF-8 would differ from its text.
  return { ...target, run: (bytes) => target.run(encodeUtf8(textOf(bytes))) }
}
