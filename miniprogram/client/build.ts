/**
 * Builds the client as phones load it: one CommonJS file in ES2018.
 *
 * One file, because WeChat's npm build ignores the `browser` and `exports` fields of packages; ES2018, because that
 * build turns newer syntax into calls that old engines lack.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BuildOptions, Plugin } from 'esbuild'
import { build } from 'esbuild'
import { internalNames } from './internal-names.ts'
import { noBigIntPower } from './no-bigint-power.ts'
import { tweetnaclParts } from './tweetnacl-parts.ts'
import {
  passedChecks,
  shortChecks,
  unreachedFunctions,
  wholeMessagesOnly,
  withBodies,
} from './unreached-functions.ts'
import { withoutWords, wordlessErrors } from './wordless-errors.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** Where {@link writeClient} puts the bundle, from the repository's root. */
export const bundlePath = 'dist/miniprogram/miniseal.js'

export interface ClientBundle {
  readonly code: string
  /** Every file that went in, from the repository's root, with the bytes it makes up in the bundle. */
  readonly inputs: Readonly<Record<string, number>>
}

const nobleCurves = join(root, 'crypto', 'curves-noble.ts')

const ownFiles = /[\\/](?:crypto|client|transports)[\\/][\w-]+\.ts$/

const shared = {
  absWorkingDir: root,
  bundle: true,
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
export async function bundleClient(entryPoint = 'miniprogram/client/index.ts'): Promise<ClientBundle> {
  const names = await internalNames(root)
  const curves = await bundleNobleCurves()
  const reached = withBodies(curves.code, unreachedFunctions, 'throw new Error();')
  const passed = withBodies(reached, passedChecks, 'return arguments[0];')
  const nobleCode = withoutWords(
    shortChecks.reduce((left, [name, body]) => withBodies(left, [name], body), passed),
  )
  const client = await run({
    ...shared,
    entryPoints: [entryPoint],
    outfile: bundlePath,
    format: 'cjs',
    minify: true,
    // stablelib and noble mark with an underscore what is nobody else's.
    mangleProps: new RegExp(`^_[a-z]|^(?:${names.join('|')})$`),
    // tweetnacl and noble look there for generators of their own; DevTools has them, phones do not, and both shall
    // run the same code.
    define: { self: 'undefined', require: 'undefined', globalThis: 'undefined' },
    legalComments: 'eof',
    plugins: [
      inPlaceOf(nobleCurves, nobleCode),
      tweetnaclParts(),
      wholeMessagesOnly(),
      wordlessErrors(ownFiles),
    ],
  })
  return { code: client.code, inputs: { ...client.inputs, ...curves.inputs } }
}

/**
 * noble's curves as one module. `crypto/` loads them lazily, and of modules that are loaded lazily esbuild keeps
 * everything; bundled by themselves they shrink to what is used.
 */
function bundleNobleCurves(): Promise<ClientBundle> {
  return run({
    ...shared,
    // The second step lowers: a field that is lowered already is named in a text, and could not be renamed any more.
    target: 'esnext',
    entryPoints: [nobleCurves],
    outfile: 'curves-noble.js',
    format: 'esm',
    legalComments: 'inline',
    external: ['tweetnacl'],
    alias: { '@noble/hashes/sha2.js': './miniprogram/client/noble-sha512.ts' },
    plugins: [ownFilesOutside, noBigIntPower()],
  })
}

/** Leaves imports of `crypto/` to the second step: two copies of an error class would be two classes. */
const ownFilesOutside: Plugin = {
  name: 'own-files-outside',
  setup(build) {
    build.onResolve({ filter: /^\.\.?\/.*\.ts$/ }, ({ path }) => ({ path, external: true }))
  },
}

function inPlaceOf(path: string, contents: string): Plugin {
  return {
    name: 'in-place-of',
    setup(build) {
      build.onLoad({ filter: /[\\/]curves-noble\.ts$/ }, (file) => {
        return file.path === path ? { contents, loader: 'ts', resolveDir: dirname(path) } : undefined
      })
    },
  }
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

/** Bundles into {@link bundlePath}. */
export async function writeClient(): Promise<ClientBundle> {
  const bundle = await bundleClient()
  const path = join(root, bundlePath)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bundle.code)
  return bundle
}
