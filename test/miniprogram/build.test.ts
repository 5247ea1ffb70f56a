/** How the bundle gets small: what is left out, what must not be, and that a changed library stops the build. */
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { bundleClient } from '../../miniprogram/client/build.ts'
import { internalNames } from '../../miniprogram/client/internal-names.ts'
import { partsOf } from '../../miniprogram/client/tweetnacl-parts.ts'
import { withBodies } from '../../miniprogram/client/unreached-functions.ts'
import { withoutWords } from '../../miniprogram/client/wordless-errors.ts'
import { sodiumPrimitives } from '../../service/keys/sodium-primitives.ts'
import type { CraftedSignature } from '../crypto/crafted-signatures.ts'
import {
  forgeForSmallOrderKey,
  honestKey,
  mixedOrderKeys,
  signWithSmallOrderR,
  signWithTorsion,
  smallOrderEncodings,
  torsionPoints,
  withScalarRaised,
} from '../crypto/crafted-signatures.ts'
import { createBareContext } from '../engines/bare-context.ts'

describe('errors without words', () => {
  it.each([
    [`throw new Error('a (b), "c"')`, 'throw new Error()'],
    ['throw new TypeError(title + `x $' + '{f(1, 2)}`)', 'throw new TypeError()'],
    [`new ProtocolError('code', "it's", cause)`, `new ProtocolError('code','', cause)`],
    [`new ChannelError('network', 'lost')`, `new ChannelError('network')`],
    [`new Other('kept'), new RangeError("a" + [1, ')'])`, `new Other('kept'), new RangeError()`],
  ])('%s', (source, expected) => {
    expect(withoutWords(source)).toBe(expected)
  })

  it('stop the build where they do not end', () => {
    expect(() => withoutWords(`new Error('a'`)).toThrow('do not end')
    expect(() => withoutWords(`new Error('a`)).toThrow('does not end')
  })
})

describe('functions without bodies', () => {
  const code =
    'class A {\n  reached(a) {\n    return a\n  }\n  other(b) {\n    if (b) {\n    }\n  }\n}\nfunction top(c) {\n  c()\n}\n'

  it('keep their names, and nothing else changes', () => {
    expect(withBodies(code, ['other', 'top'], 'throw new Error();')).toBe(
      'class A {\n  reached(a) {\n    return a\n  }\n  other(b) { throw new Error(); }\n}\nfunction top(c) { throw new Error(); }\n',
    )
  })

  it('stop the build when there is none of that name', () => {
    expect(() => withBodies(code, ['gone'], '')).toThrow('there is no function gone')
  })
})

describe('tweetnacl in parts', () => {
  it('stops the build when it looks otherwise', async () => {
    const source = await readFile('node_modules/tweetnacl/nacl-fast.js', 'utf8')
    expect(partsOf(source)).toContain('export default')
    expect(() => partsOf(source.replace('(function(nacl)', '(function (nacl)'))).toThrow('another frame')
    expect(() => partsOf(source.replace('nacl.lowlevel = ', 'nacl.low = '))).toThrow('tweetnacl has no')
  })
})

describe('shorter names', () => {
  it('are never given to what mini programs, WeChat, the wire or the language know', async () => {
    const names = await internalNames('.')
    for (const known of [
      'request',
      'headers',
      'idempotencyKey',
      'entries',
      'current',
      'resultJSON',
      'sha256',
      'onMissed',
    ]) {
      expect(names).not.toContain(known)
    }
    expect(names).toEqual(expect.arrayContaining(['openSessions', 'multiplyUnsafe', 'confirmedIfAsked']))
  })
})

describe('the curves of the bundle', () => {
  it.each([false, true])(
    'judge every crafted signature as libsodium does (without BigInt: %s)',
    async (withoutBigInt) => {
      const context = createBareContext({ withoutBigInt })
      context.define('curves', context.load((await bundleClient('crypto/curves.ts')).code))
      context.define('module_', context.load((await bundleClient('crypto/primitives-js.ts')).code))
      await context.run(
        'curves.loadCurves().then((found) => { globalThis.primitives = module_.createJsPrimitives(found) })',
      )
      const bytes = (value: Uint8Array): number[] => [...value]
      // Without BigInt each takes long, so every fifth has to do.
      const signatures = crafted().filter((_, index) => !withoutBigInt || index % 5 === 0)
      for (const { message, signature, publicKey } of signatures) {
        context.define('given', [bytes(signature), bytes(message), bytes(publicKey)])
        const script = 'primitives.ed25519Verify(...given.map((bytes) => Uint8Array.from(bytes)))'
        expect(context.run(script)).toBe(sodiumPrimitives.ed25519Verify(signature, message, publicKey))
      }
      for (const key of [...mixedOrderKeys, honestKey]
        .map((point) => point.toBytes())
        .concat(smallOrderEncodings)) {
        context.define('given', bytes(key))
        expect(context.run('primitives.isPrimeOrderKey(Uint8Array.from(given))')).toBe(
          sodiumPrimitives.isPrimeOrderKey(key),
        )
      }
    },
    120_000,
  )
})

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
