/**
 * The client as a package that WeChat's npm build takes: the folder of `bundlePath`, ready for `npm pack`.
 *
 * ```
 * package.json · README.md · LICENSE
 * miniprogram_dist/index.js · gzip.js      what is copied into miniprogram_npm/miniseal-client
 * gzip.d.ts · types/                       for the compiler
 * ```
 */
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { ClientBundle } from './build.ts'
import { bundleGzip, bundlePath, writeClient } from './build.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const folder = join(root, dirname(bundlePath))
/** Where `tsc -b` puts declarations. */
const declarations = { client: join(folder, 'client'), crypto: join(root, 'dist', 'crypto') } as const

const relativeImport = /(from |import\()'(\.[^']*)\.ts'/g

/**
 * Writes the folder anew, but for what the compiler put there.
 * @returns the client's bundle
 * @throws Error where the declarations are missing: `tsc -b` makes them.
 */
export async function writePackage(): Promise<ClientBundle> {
  const bundle = await writeClient()
  const code = join(folder, 'miniprogram_dist')
  await rm(code, { recursive: true, force: true })
  await rm(join(folder, 'types'), { recursive: true, force: true })
  await mkdir(code, { recursive: true })
  await writeFile(join(code, 'index.js'), bundle.code)
  await writeFile(join(code, 'gzip.js'), (await bundleGzip()).code)
  await writeFile(join(folder, 'gzip.d.ts'), "export { compression } from './types/client/gzip'\n")
  await copyDeclarations(['client/index', 'client/gzip'])
  await cp(join(root, 'miniprogram', 'client', 'README.md'), join(folder, 'README.md'))
  await cp(join(root, 'LICENSE'), join(folder, 'LICENSE'))
  // The compiler's modules beside the package, which commands use, are not CommonJS as the package is.
  await writeFile(join(declarations.client, 'package.json'), '{ "type": "module" }\n')
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(await manifest(), null, 2)}\n`)
  return bundle
}

async function manifest(): Promise<object> {
  const { version, license } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  return {
    name: 'miniseal-client',
    version,
    description: 'The Miniseal channel for WeChat mini programs: signed, sealed, replay-proof requests.',
    license,
    main: 'miniprogram_dist/index.js',
    miniprogram: 'miniprogram_dist',
    types: 'types/client/index.d.ts',
    files: ['miniprogram_dist', 'types', 'gzip.d.ts', 'README.md', 'LICENSE'],
  }
}

/** These declarations and all that they name; without file extensions, as every module resolution understands them. */
async function copyDeclarations(entries: readonly string[]): Promise<void> {
  const seen = new Set<string>()
  for (const open = [...entries]; open.length > 0; ) {
    const path = open.pop() ?? ''
    if (seen.has(path)) continue
    seen.add(path)
    const [room = '', ...rest] = path.split('/')
    const source = join(
      room === 'crypto' ? declarations.crypto : declarations.client,
      `${rest.join('/')}.d.ts`,
    )
    const text = (await readFile(source, 'utf8')).replace(/^\/\/# sourceMappingURL.*$/m, '')
    for (const [, , target = ''] of text.matchAll(relativeImport)) open.push(resolved(path, target))
    const target = join(folder, 'types', `${path}.d.ts`)
    await mkdir(dirname(target), { recursive: true })
    await writeFile(
      target,
      text.replace(relativeImport, (_, words, to) => `${words}'${typesPath(to)}'`),
    )
  }
}

/** From `types/client` it is one folder up to `types/crypto`, not two. */
function typesPath(path: string): string {
  return path.replace(/\.\.\/crypto\//, 'crypto/')
}

function resolved(from: string, to: string): string {
  return join(dirname(from), typesPath(to))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { code } = await writePackage()
  console.log(`${bundlePath}: ${code.length} characters`)
}
