/**
 * Builds the client as phones load it: one CommonJS file in ES2018.
 *
 * One file, because WeChat's npm build ignores the `browser` and `exports` fields of packages; ES2018, because that
 * build turns newer syntax into calls that old engines lack.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BuildOptions } from 'esbuild'
import { build } from 'esbuild'
import { noBigIntPower } from './no-bigint-power.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** Where {@link writeClient} puts the bundle, from the repository's root. */
export const bundlePath = 'miniprogram/client/miniprogram_dist/index.js'

export interface ClientBundle {
  readonly code: string
  /** Every file that went in, from the repository's root, with the bytes it makes up in the bundle. */
  readonly inputs: Readonly<Record<string, number>>
}

const shared = {
  absWorkingDir: root,
  bundle: true,
  conditions: ['source'],
  platform: 'browser',
  target: 'es2018',
  charset: 'utf8',
  // Fields are assigned, not defined: shorter, and the same for classes that inherit none.
  tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
  metafile: true,
  write: false,
  logLevel: 'silent',
} satisfies BuildOptions

/**
 * Bundles in memory.
 *
 * @param entryPoint from the repository's root; a test may bundle a part of the client in the same way
 * @throws Error when esbuild finds an error, or a warning: there is none to get used to.
 */
export function bundleClient(entryPoint = 'miniprogram/client/index.ts'): Promise<ClientBundle> {
  return run({
    ...shared,
    entryPoints: [entryPoint],
    outfile: bundlePath,
    format: 'cjs',
    minify: true,
    // tweetnacl and noble look there for generators of their own; DevTools has them, phones do not, and both shall
    // run the same code.
    define: { self: 'undefined', require: 'undefined', globalThis: 'undefined' },
    legalComments: 'eof',
    alias: { '@noble/hashes/sha2.js': './miniprogram/client/noble-sha512.ts' },
    plugins: [noBigIntPower()],
  })
}

async function run(options: BuildOptions & { readonly metafile: true }): Promise<ClientBundle> {
  const { warnings, outputFiles = [], metafile } = await build(options)
  const [warning] = warnings
  if (warning !== undefined) throw new Error(`esbuild warns: ${warning.text} (${warning.location?.file})`)
  const [file] = outputFiles
  const [output] = Object.values(metafile.outputs)
  if (file === undefined || output === undefined) throw new Error('esbuild made no bundle')
  const sizes = Object.entries(output.inputs).map(
    ([path, { bytesInOutput }]) => [path, bytesInOutput] as const,
  )
  return { code: file.text, inputs: Object.fromEntries(sizes) }
}

/** The compression that the client does not bring along, as a file of its own. @throws Error as `bundleClient`. */
export function bundleGzip(): Promise<ClientBundle> {
  return run({
    ...shared,
    entryPoints: ['miniprogram/client/gzip.ts'],
    outfile: 'gzip.js',
    format: 'cjs',
    minify: true,
    // fflate looks for one when it loads, and needs it for texts only.
    define: { TextDecoder: 'undefined' },
    legalComments: 'eof',
  })
}

/** The client for Node, as one ES module. @throws Error as `bundleClient`. */
export function bundleNode(): Promise<ClientBundle> {
  return run({
    ...shared,
    entryPoints: ['miniprogram/client/node.ts'],
    outfile: 'node.mjs',
    format: 'esm',
    platform: 'node',
    // As on a phone: tweetnacl draws no random bytes of its own.
    define: { self: 'undefined', require: 'undefined' },
    target: 'es2022',
    legalComments: 'eof',
  })
}

/** Bundles into {@link bundlePath}. */
export async function writeClient(): Promise<ClientBundle> {
  const bundle = await bundleClient()
  const path = join(root, bundlePath)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bundle.code)
  return bundle
}
