/** The three implementations of the primitives, for suites that hold them to one contract. */
import { nobleCurves } from '../../../crypto/primitives/curves-noble.ts'
import { tweetnaclCurves } from '../../../crypto/primitives/curves-tweetnacl.ts'
import type { Primitives } from '../../../crypto/primitives/primitives.ts'
import { createJsPrimitives } from '../../../crypto/primitives/primitives-js.ts'
import { sodiumPrimitives } from '../../../service/keys/sodium-primitives.ts'

export const tweetnacl: Primitives = createJsPrimitives(tweetnaclCurves)
export const noble: Primitives = createJsPrimitives(nobleCurves)
export const implementations: readonly Primitives[] = [tweetnacl, noble, sodiumPrimitives]

/** For `describe.each` with a title of `%s`. */
export const namedImplementations: readonly (readonly [string, Primitives])[] = implementations.map(
  (primitives) => [primitives.name, primitives],
)
