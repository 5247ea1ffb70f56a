/**
 * Builds the client as phones load it: one CommonJS file in ES2018.
 *
 * One file, because WeChat's npm build ignores the `browser` and `exports` fields of packages; ES2018, because that
 * build turns newer syntax into calls that old engines lack.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { noBigIntPower } from './no-bigint-power.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** Where {@link writeClient} puts the bundle, from the repository's root. */
export const bundlePath = 'dist/miniprogram/miniseal.js'

export interface ClientBundle {
  readonly code: string
  /** Every file that went in, from the repository's root, with the bytes it makes up in the bundle. */
  readonly inputs: Readonly<Record<string, number>>
}

/** Bundles in memory. @throws Error when esbuild finds an error, or a warning: there is none to get used to. */
export async function bundleClient(): Promise<ClientBundle> {
  const result = await build({
    absWorkingDir: root,
    entryPoints: ['miniprogram/client/index.ts'],
    outfile: bundlePath,
    bundle: true,
    format: 'cjs',
    platform: 'browser',
    target: 'es2018',
    charset: 'utf8',
    minify: true,
    // tweetnacl looks for a generator of its own there; DevTools has one, phones do not.
    define: { self: 'undefined' },
    legalComments: 'eof',
    metafile: true,
    write: false,
    logLevel: 'silent',
    plugins: [noBigIntPower()],
  })
  const [warning] = result.warnings
  if (warning !== undefined) throw new Error(`esbuild warns: ${warning.text} (${warning.location?.file})`)
  const [file] = result.outputFiles
  const output = result.metafile.outputs[bundlePath]
  if (file === undefined || output === undefined) throw new Error('esbuild made no bundle')
  const sizes = Object.entries(output.inputs).map(
    ([path, { bytesInOutput }]) => [path, bytesInOutput] as const,
  )
  return { code: file.text, inputs: Object.fromEntries(sizes) }
}

/** Bundles into {@link bundlePath}. */
export async function writeClient(): Promise<ClientBundle> {
  const bundle = await bundleClient()
  const path = join(root, bundlePath)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bundle.code)
  return bundle
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { code } = await writeClient()
  console.log(`${bundlePath}: ${code.length} characters`)
}
