/** Searches for the one change, or the two, after which a signature verifies. Bounded: captures are untrusted. */
import { createHash } from 'node:crypto'
import { nodePrimitives } from '../primitives.ts'
import type { Candidate, Change } from './candidate.ts'
import { baseOf } from './candidate.ts'
import { baseMistakes } from './field-changes.ts'
import type { Budget, Finding, KnownKey } from './types.ts'

/** The signed base, and its differences from the captured message. */
export interface Match {
  /** Empty when nothing differs. */
  readonly changes: readonly Finding[]
  readonly base: string
  /** The key that verifies; absent for a match by digest or text. */
  readonly key?: KnownKey
}

/** Whether these bytes are what was signed. */
type Test = (bytes: Uint8Array) => KnownKey | true | undefined

/** Limits the keys of an untrusted JWK Set. */
const maxKeys = 8

/** @param named the key of `keyid`; after the first base only this key is tried */
export function bySignature(signature: Uint8Array, keys: readonly KnownKey[], named?: KnownKey): Test {
  let tried = keys.slice(0, maxKeys)
  return (bytes) => {
    const found = tried.find(({ publicKey }) => nodePrimitives.ed25519Verify(signature, bytes, publicKey))
    if (named !== undefined) tried = [named]
    return found
  }
}

/** @param digest lower-case hex */
export function byDigest(digest: string): Test {
  return (bytes) => (createHash('sha256').update(bytes).digest('hex') === digest ? true : undefined)
}

export function byText(text: string): Test {
  const wanted = Buffer.from(text, 'utf8')
  return (bytes) => (Buffer.compare(wanted, bytes) === 0 ? true : undefined)
}

/** Tries, in this order: no change, one change, a mistake in the base, two changes. */
export function search(
  candidate: Candidate,
  changes: readonly Change[],
  label: string,
  test: Test,
  budget: Budget,
): Match | undefined {
  const tried = new Set<string>()
  let attempts = 0
  // Most changes do not change a short request; these attempts are bounded as well.
  const isSpent = (): boolean => tried.size >= budget.tries || attempts >= 4 * budget.tries
  const tryBase = (
    base: string | undefined,
    made: readonly Finding[],
    bytes?: Uint8Array,
  ): Match | undefined => {
    attempts++
    if (base === undefined || isSpent()) return undefined
    const id = bytes === undefined ? base : `${made[0]?.id}\n${base}`
    if (tried.has(id)) return undefined
    tried.add(id)
    const key = test(bytes ?? new Uint8Array(Buffer.from(base, 'utf8')))
    return key === undefined ? undefined : { changes: made, base, ...(key === true ? {} : { key }) }
  }
  const firstMatch = <T>(items: Iterable<T>, attempt: (item: T) => Match | undefined): Match | undefined => {
    for (const item of items) {
      if (isSpent()) return undefined
      const match = attempt(item)
      if (match !== undefined) return match
    }
    return undefined
  }
  const own = baseOf(candidate)
  return (
    tryBase(own, []) ??
    firstMatch(changes, (change) => tryBase(baseOf(change.apply(candidate)), [change])) ??
    firstMatch(baseMistakes(own ?? '', label), ({ id, base, bytes }) =>
      tryBase(base, [{ id, detail: '' }], bytes),
    ) ??
    firstMatch(budget.pairs ? pairsOf(changes) : [], ([one, two]) =>
      tryBase(baseOf(two.apply(one.apply(candidate))), [one, two]),
    )
  )
}

/** Changes of two different parts. */
function* pairsOf(changes: readonly Change[]): Generator<readonly [Change, Change]> {
  for (const [index, one] of changes.entries()) {
    for (const two of changes.slice(index + 1)) if (one.part !== two.part) yield [one, two]
  }
}
