import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, transform } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { noBigIntPower, rewriteForWeChat } from '../../../miniprogram/build/no-bigint-power.ts'
import { createBareContext } from '../../support/bare-context.ts'

const rewrite = (source: string): Promise<string> => rewriteForWeChat(source, 'sample.js', transform)

async function evaluate(source: string): Promise<unknown> {
  const { code } = await transform(await rewrite(source), { format: 'cjs' })
  return (createBareContext().load(code) as { readonly value: unknown }).value
}

test('the build step computes BigInt powers without **', async () => {
  const source = 'const two = BigInt(2); export const value = two ** BigInt(254) - 3n ** 4n'
  expect(await rewrite(source)).not.toContain('**')
  expect(await evaluate(source)).toBe(2n ** 254n - 81n)
  expect(await evaluate('let n = 5n; n **= 0n; export const value = n')).toBe(1n)
})

test('the build step computes number powers', async () => {
  expect(await evaluate('let w = 6; export const value = [2 ** (w - 1), w ** -1, 2 ** 32]')).toEqual([
    32,
    1 / 6,
    2 ** 32,
  ])
})

test('the build step evaluates powers of literals at build time', async () => {
  expect(await rewrite('export const value = (n) => n / 2 ** 32')).toContain('n / 4294967296')
})

test('the build step keeps annotations for tree shaking', async () => {
  const source = 'export const unused = /* @__PURE__ */ (() => make(2n ** 3n))()'
  expect(await rewrite(source)).toMatch(/unused = \/\* @__PURE__ \*\/ \(\(\) => make\(/)
})

test('the bundle contains no BigInt literals, so that engines without BigInt can parse it', async () => {
  const rewritten = await rewrite('export const _0n = 0x1234n; export const b2n = _0n')
  expect(rewritten).toContain('BigInt(')
  expect(await evaluate('export const value = [0x1234n, 12345678901234567890n, -7n]')).toEqual([
    0x1234n,
    12345678901234567890n,
    -7n,
  ])
})

test('the build step keeps ** in strings and licence comments', async () => {
  const source = '/*! MIT, 2 ** 3 */ export const value = "2 ** 3n, 4n" // 5n ** 6n'
  expect(await evaluate(source)).toBe('2 ** 3n, 4n')
  expect(await rewrite(source)).toContain('/*! MIT')
})

const leaving = (code: string) => rewriteForWeChat('', 'bad.js', async () => ({ code }))

test('the build step fails when a ** remains', async () => {
  await expect(leaving('x = a ** b;')).rejects.toThrow('** remains in bad.js')
  await expect(leaving('a **= b;')).rejects.toThrow('** remains in bad.js')
})

test('the build step fails when a BigInt literal remains', async () => {
  await expect(leaving('x = 2n;')).rejects.toThrow('a BigInt literal remains in bad.js')
  await expect(leaving('x = 0xffn << y;')).rejects.toThrow('a BigInt literal remains in bad.js')
})

test("the build step fails when esbuild's helper has changed", async () => {
  await expect(leaving('var __pow = Math["pow"]; x = __pow(a, b);')).rejects.toThrow(
    'unknown helper for ** in bad.js',
  )
})

describe('the plugin', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'no-bigint-power-'))
    const source = 'export const value = 3n ** 5n'
    for (const name of ['@noble/curves', '@noble/hashes', 'other']) {
      await mkdir(join(folder, 'node_modules', name, 'abstract'), { recursive: true })
      await writeFile(join(folder, 'node_modules', name, 'abstract', 'index.js'), source)
    }
  })
  afterAll(() => rm(folder, { recursive: true }))

  const bundle = async (name: string): Promise<string> => {
    const entry = join(folder, 'node_modules', name, 'abstract', 'index.js')
    const result = await build({
      entryPoints: [entry],
      bundle: true,
      format: 'cjs',
      write: false,
      logLevel: 'silent',
      plugins: [noBigIntPower()],
    })
    return result.outputFiles[0]?.text ?? ''
  }

  test.each(['@noble/curves', '@noble/hashes'])('the build step rewrites the files of %s', async (name) => {
    const code = await bundle(name)
    expect(code).not.toContain('**')
    expect(createBareContext().load(code)).toMatchObject({ value: 243n })
  })

  test('the build step does not rewrite files of other packages', async () => {
    expect(await bundle('other')).toContain('3n ** 5n')
  })
})
