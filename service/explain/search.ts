/** Looks for the one change, or the two, that make a signature verify or a digest fit. Bounded: captures are untrusted. */
import { createHash } from 'node:crypto'
import { encodeAscii } from 'miniseal-protocol/text'
import { sodiumPrimitives as primitives } from '../keys/sodium-primitives.ts'
import { baseMistakes } from './base-mistakes.ts'
import type { Change, Material } from './material.ts'
import { baseOf } from './material.ts'
import type { KnownKey } from './public-keys.ts'
import type { MessageId } from './words-en.ts'

/** What was signed, and how it differs from what was captured. */
export interface Found {
  /** Empty: nothing differs, and `key` is another than the one that is named. */
  readonly changes: readonly { readonly id: MessageId; readonly detail: string }[]
  /** The text that was signed. */
  readonly base: string
  /** Absent where a digest was looked for. */
  readonly key?: KnownKey
}

/** Says whether these bytes are what was signed. */
type Test = (bytes: Uint8Array) => KnownKey | true | undefined

export interface Budget {
  /** How many bases are tried at most. */
  readonly tries: number
  /** Whether changes of two parts are tried together. */
  readonly pairs: boolean
}

/** Signatures are tried with so many keys: a JWK Set of a stranger has no say over how long this takes. */
const maxKeys = 8

/** @param named the key that the signature names: once the first base was tried with every key, only this one is */
export function bySignature(signature: Uint8Array, keys: readonly KnownKey[], named?: KnownKey): Test {
  let tried = keys.slice(0, maxKeys)
  return (bytes) => {
    const found = tried.find(({ publicKey }) => primitives.ed25519Verify(signature, bytes, publicKey))
    if (named !== undefined) tried = [named]
    return found
  }
}

/** @param digest lower-case hex */
export function byDigest(digest: string): Test {
  return (bytes) => (createHash('sha256').update(bytes).digest('hex') === digest ? true : undefined)
}

/**
 * @param label of the signature, for what signers do wrong with it
 * @returns the first that fits: nothing changed, one change, a mistake in the base, two changes
 */
export function search(
  material: Material,
  changes: readonly Change[],
  label: string,
  test: Test,
  budget: Budget,
): Found | undefined {
  const tried = new Set<string>()
  let looks = 0
  // Most changes change nothing of a short request: that costs little, and is bounded too.
  const isSpent = (): boolean => tried.size >= budget.tries || looks >= 4 * budget.tries
  const tryBase = (
    base: string | undefined,
    made: Found['changes'],
    bytes?: Uint8Array,
  ): Found | undefined => {
    looks++
    if (base === undefined || isSpent()) return undefined
    const id = bytes === undefined ? base : `${made[0]?.id}\n${base}`
    if (tried.has(id)) return undefined
    tried.add(id)
    const key = test(bytes ?? encodeLoose(base))
    return key === undefined ? undefined : { changes: made, base, ...(key === true ? {} : { key }) }
  }
  return (
    tryBase(baseOf(material), []) ??
    first(changes, isSpent, (change) => tryBase(baseOf(change.apply(material)), [change])) ??
    first(baseMistakes(baseOf(material) ?? '', label), isSpent, ({ id, base, bytes }) =>
      tryBase(base, [{ id, detail: '' }], bytes),
    ) ??
    (budget.pairs
      ? first(pairsOf(changes), isSpent, ([one, two]) =>
          tryBase(baseOf(two.apply(one.apply(material))), [one, two]),
        )
      : undefined)
  )
}

function first<T>(
  items: Iterable<T>,
  isSpent: () => boolean,
  look: (item: T) => Found | undefined,
): Found | undefined {
  for (const item of items) {
    if (isSpent()) return undefined
    const found = look(item)
    if (found !== undefined) return found
  }
  return undefined
}

/** Changes of two different parts. */
function* pairsOf(changes: readonly Change[]): Generator<readonly [Change, Change]> {
  for (const [index, one] of changes.entries()) {
    for (const two of changes.slice(index + 1)) if (one.part !== two.part) yield [one, two]
  }
}

/** A base of ours is ASCII; one that somebody made up may hold anything. */
function encodeLoose(base: string): Uint8Array {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is what is asked for
  return /^[\x00-\x7f]*$/.test(base) ? encodeAscii(base) : new Uint8Array(Buffer.from(base, 'utf8'))
}
