/** The curves as bundled for phones give the verdicts of libsodium. */
import { expect, it } from 'vitest'
import { bundleClient } from '../../../miniprogram/build/bundle.ts'
import { sodiumPrimitives } from '../../../service/keys/sodium-primitives.ts'
import { createBareContext } from '../../support/bare-context.ts'
import type { CraftedSignature } from '../../unit/crypto/crafted-signatures.ts'
import {
  forgeForSmallOrderKey,
  signWithSmallOrderR,
  signWithTorsion,
  smallOrderEncodings,
  torsionPoints,
  withScalarRaised,
} from '../../unit/crypto/crafted-signatures.ts'

it.each([false, true])(
  'the bundle verifies crafted signatures like libsodium (without BigInt: %s)',
  async (withoutBigInt) => {
    const context = createBareContext({ withoutBigInt })
    context.define('js', context.load((await bundleClient('crypto/primitives/primitives-js.ts')).code))
    await context.run(
      'js.loadCurves().then((curves) => { globalThis.primitives = js.createJsPrimitives(curves) })',
    )
    const bytes = (value: Uint8Array): number[] => [...value]
    // Without BigInt each takes long, so every fifth has to do.
    const signatures = crafted().filter((_, index) => !withoutBigInt || index % 5 === 0)
    for (const { message, signature, publicKey } of signatures) {
      context.define('given', [bytes(signature), bytes(message), bytes(publicKey)])
      const script = 'primitives.ed25519Verify(...given.map((bytes) => Uint8Array.from(bytes)))'
      expect(context.run(script)).toBe(sodiumPrimitives.ed25519Verify(signature, message, publicKey))
    }
  },
  120_000,
)

/** Right ones, and those that strict verifiers refuse. */
function crafted(): readonly CraftedSignature[] {
  const message = new Uint8Array([1, 2, 3])
  const mixed = torsionPoints.flatMap((inR) =>
    torsionPoints.map((inKey) => signWithTorsion(inR, inKey, message)),
  )
  const [right] = mixed
  if (right === undefined) throw new Error('no signature was made')
  const flipped = [0, 20, 40, 63].map((at) => {
    return { ...right, signature: right.signature.map((byte, index) => (index === at ? byte ^ 1 : byte)) }
  })
  const raised = { ...right, signature: withScalarRaised(right.signature, 1n) }
  const small = torsionPoints.map((point) => signWithSmallOrderR(point.toBytes()))
  return [...mixed, ...flipped, raised, ...small, ...smallOrderEncodings.map(forgeForSmallOrderKey)]
}
