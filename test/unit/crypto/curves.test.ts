import { fileURLToPath } from 'node:url'
import { build, transform } from 'esbuild'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Curves, Primitives } from '../../../crypto/primitives/primitives.ts'
import { decodeHex, encodeHex } from '../../../crypto/text.ts'
import { noBigIntPower } from '../../../miniprogram/build/no-bigint-power.ts'
import { type BareContext, createBareContext } from '../../support/bare-context.ts'
import { signatures } from './primitives-vectors.ts'

interface Bundle {
  loadCurves(): Promise<Curves>
  createJsPrimitives(curves: Curves): Primitives
}

const [, , vector] = signatures

/** What phones get: one CommonJS file in ES2018. */
async function bundleCurves(plugins = [noBigIntPower()]): Promise<string> {
  const { outputFiles, warnings } = await build({
    stdin: {
      contents: "export { createJsPrimitives, loadCurves } from './crypto/primitives/primitives-js.ts'",
      resolveDir: fileURLToPath(new URL('../../..', import.meta.url)),
    },
    bundle: true,
    format: 'cjs',
    platform: 'browser',
    target: 'es2018',
    minify: true,
    write: false,
    plugins,
  })
  expect(warnings).toEqual([])
  return outputFiles[0]?.text ?? ''
}

/** WeChat's ES6 to ES5 step as far as it matters here: every `a ** b` becomes `Math.pow(a, b)`. */
async function throughWeChat(bundle: string): Promise<string> {
  const { code } = await transform(bundle, { supported: { 'exponent-operator': false } })
  return code
}

/** Loads the bundle, signs and verifies RFC 8032, TEST 3. @returns the name of the curves that did it. */
async function signWith(code: string, context: BareContext): Promise<string> {
  const bundle = context.load(code) as Bundle
  const primitives = bundle.createJsPrimitives(await bundle.loadCurves())
  const bytes = (text: string): Uint8Array => context.realm.Uint8Array.from(decodeHex(text))
  const { publicKey, secretKey } = primitives.ed25519KeyPair(bytes(vector.seed))
  const signature = primitives.ed25519Sign(bytes(vector.message), secretKey)
  expect(encodeHex(signature)).toBe(vector.signature)
  expect(primitives.ed25519Verify(signature, bytes(vector.message), publicKey)).toBe(true)
  expect(primitives.x25519(bytes(vector.seed), primitives.x25519PublicKey(bytes(vector.seed)))).toHaveLength(
    32,
  )
  return primitives.name
}

describe('the bundled curves', () => {
  let code = ''
  beforeAll(async () => {
    code = await bundleCurves()
  })

  test('the bundled curves are noble where the engine has BigInt', async () => {
    expect(await signWith(code, createBareContext())).toBe('noble')
  })

  test('the bundled curves are tweetnacl where the engine has no BigInt', async () => {
    expect(await signWith(code, createBareContext({ withoutBigInt: true }))).toBe('tweetnacl')
  })

  test('the bundled curves do not use BigInt before loadCurves is called', async () => {
    const context = createBareContext()
    context.run(
      'globalThis.calls = 0; { const real = BigInt; BigInt = (value) => { calls += 1; return real(value) } }',
    )
    const bundle = context.load(code) as Bundle
    expect(context.run('calls')).toBe(0)
    expect((await bundle.loadCurves()).name).toBe('noble')
    expect(context.run('calls')).toBeGreaterThan(0)
  })

  test("the bundled curves are noble after WeChat's ES6 to ES5 step", async () => {
    expect(await signWith(await throughWeChat(code), createBareContext())).toBe('noble')
  })

  test('the bundled curves are tweetnacl after WeChat’s ES6 to ES5 step without the plugin', async () => {
    const unprotected = await bundleCurves([])
    expect(await signWith(unprotected, createBareContext())).toBe('noble')
    expect(await signWith(await throughWeChat(unprotected), createBareContext())).toBe('tweetnacl')
  })
})
