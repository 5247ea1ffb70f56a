/**
 * Bundles the client for phones into one CommonJS file in ES2018.
 *
 * WeChat's npm build ignores `browser` and `exports` of dependencies, and compiles newer syntax to calls that old
 * engines lack.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BuildOptions } from 'esbuild'
import { build } from 'esbuild'
import { noBigIntPower } from './no-bigint-power.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** Output of {@link writeClient}, relative to the repository. */
export const bundlePath = 'miniprogram/client/miniprogram_dist/index.js'

export interface ClientBundle {
  readonly code: string
  /** Source files, relative to the repository, with their bytes in the bundle. */
  readonly inputs: Readonly<Record<string, number>>
}

const shared = {
  absWorkingDir: root,
  bundle: true,
  conditions: ['source'],
  platform: 'browser',
  target: 'es2018',
  charset: 'utf8',
  // Assigned fields are shorter than defined ones.
  tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
  metafile: true,
  write: false,
  logLevel: 'silent',
} satisfies BuildOptions

/**
 * Bundles the client in memory.
 *
 * @param entryPoint relative to the repository; tests bundle parts of the client
 * @throws Error for an error or a warning of esbuild
 */
export function bundleClient(entryPoint = 'miniprogram/client/index.ts'): Promise<ClientBundle> {
  return run({
    ...shared,
    entryPoints: [entryPoint],
    outfile: bundlePath,
    format: 'cjs',
    minify: true,
    // tweetnacl and noble look there for random generators, which exist in DevTools but not on phones.
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

/** Bundles the optional compression. @throws Error as `bundleClient` */
export function bundleGzip(): Promise<ClientBundle> {
  return run({
    ...shared,
    entryPoints: ['miniprogram/client/gzip.ts'],
    outfile: 'gzip.js',
    format: 'cjs',
    minify: true,
    // fflate uses it for strings only.
    define: { TextDecoder: 'undefined' },
    legalComments: 'eof',
  })
}

/** Bundles the client for Node into one ES module. @throws Error as `bundleClient` */
export function bundleNode(): Promise<ClientBundle> {
  return run({
    ...shared,
    entryPoints: ['miniprogram/client/node.ts'],
    outfile: 'index.js',
    format: 'esm',
    platform: 'node',
    // As on a phone, tweetnacl must not use its own random generator.
    define: { self: 'undefined', require: 'undefined' },
    target: 'es2022',
    legalComments: 'eof',
  })
}

/** Bundles the client into {@link bundlePath}. */
export async function writeClient(): Promise<ClientBundle> {
  const bundle = await bundleClient()
  const path = join(root, bundlePath)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bundle.code)
  return bundle
}
