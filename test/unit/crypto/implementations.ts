/** Every implementation of the primitives, for the suites that hold them to one contract. */
import { nobleCurves } from '../../../crypto/primitives/curves-noble.ts'
import { tweetnaclCurves } from '../../../crypto/primitives/curves-tweetnacl.ts'
import type { Primitives } from '../../../crypto/primitives/primitives.ts'
import { createJsPrimitives } from '../../../crypto/primitives/primitives-js.ts'
import { nodePrimitives } from '../../../packages/verify/primitives.ts'
import { sodiumPrimitives } from '../../../service/keys/sodium-primitives.ts'

export const tweetnacl: Primitives = createJsPrimitives(tweetnaclCurves)
export const noble: Primitives = createJsPrimitives(nobleCurves)
/** Verification by OpenSSL, as `miniseal-verify` does it; the rest by libsodium. */
const openssl: Primitives = { ...sodiumPrimitives, ...nodePrimitives, name: 'openssl' }

export const implementations: readonly Primitives[] = [tweetnacl, noble, sodiumPrimitives, openssl]

/** For `describe.each` with a title of `%s`. */
export const namedImplementations: readonly (readonly [string, Primitives])[] = implementations.map(
  (primitives) => [primitives.name, primitives],
)
