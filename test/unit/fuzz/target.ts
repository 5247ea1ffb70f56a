/** A parser under test: it accepts or refuses any bytes, and accepted input has one encoding. */
import { equalBytes } from '../../../crypto/bytes.ts'
import { encodeUtf8 } from '../../../crypto/text.ts'

type ErrorClass = new (...args: never[]) => Error

export interface Target {
  readonly name: string
  /** Valid and almost valid input. */
  readonly seeds: readonly Uint8Array[]
  /** The exact classes of its refusals, not their subclasses. */
  readonly refusals: readonly ErrorClass[]
  /** @throws a refusal; any other error is a finding, as is {@link Broken} */
  readonly run: (bytes: Uint8Array) => void
}

/** A value violates a guarantee of its parser. */
export class Broken extends Error {}

/**
 * Runs one input.
 *
 * @returns whether it was accepted
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
 * `one`: accepted input equals its encoding. `stable`: the encoding of a value parses as the same value. `padded`: as
 * `one`, except for the number of zeros at the end.
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
    if (!equalBytes(encode(parse(written)), written)) throw new Broken('the encoding has another value')
    return
  }
  const length = Math.min(bytes.length, written.length)
  const isSame = equalBytes(bytes.subarray(0, length), written.subarray(0, length))
  const rest = [...bytes.subarray(length), ...written.subarray(length)]
  if (!isSame || (form === 'one' ? rest.length > 0 : rest.some((byte) => byte !== 0)))
    throw new Broken('two encodings of one value')
}

/** A target whose parser takes bytes. @param encode the inverse of `parse`, where there is one */
export function binaryTarget<T>(
  name: string,
  refusals: readonly ErrorClass[],
  seeds: readonly Uint8Array[],
  parse: (bytes: Uint8Array) => T,
  encode?: (value: T) => Uint8Array,
  form: Form = 'one',
): Target {
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

const lenient = new TextDecoder('utf-8', { ignoreBOM: true })

/** A target whose parser takes a string: bytes that are not UTF-8 become U+FFFD. */
export function textTarget<T>(
  name: string,
  refusals: readonly ErrorClass[],
  seeds: readonly string[],
  parse: (text: string) => T,
  encode?: (value: T) => string,
  form?: Form,
): Target {
  const target = binaryTarget<T>(
    name,
    refusals,
    seeds.map(encodeUtf8),
    (bytes) => parse(lenient.decode(bytes)),
    encode && ((value) => encodeUtf8(encode(value))),
    form,
  )
  return { ...target, run: (bytes) => target.run(encodeUtf8(lenient.decode(bytes))) }
}
