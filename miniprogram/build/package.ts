/**
 * Builds the files of the npm package `miniseal-client`.
 *
 * ```
 * miniprogram_dist/index.js · gzip.js      WeChat's npm build copies this folder to miniprogram_npm/miniseal-client
 * node_dist/index.js                       the client for Node
 * types/                                   type declarations
 * ```
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { ClientBundle } from './bundle.ts'
import { bundleGzip, bundleNode, bundlePath, writeClient } from './bundle.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const folder = join(root, 'miniprogram', 'client')
/** Output folders of `tsc -b`. */
const declarations = { client: join(folder, 'dist'), crypto: join(root, 'crypto', 'dist') } as const

const importedModule = /(from |import\()'(\.[^']*\.ts|miniseal-protocol(?:\/[^']*)?)'/g

/**
 * Replaces the output folders.
 * @returns the client bundle
 * @throws Error when the declarations are missing; run `tsc -b` first
 */
export async function writePackage(): Promise<ClientBundle> {
  const phone = join(folder, 'miniprogram_dist')
  const node = join(folder, 'node_dist')
  const types = join(folder, 'types')
  for (const output of [phone, node, types]) await rm(output, { recursive: true, force: true })
  const bundle = await writeClient()
  await writeFile(join(phone, 'gzip.js'), (await bundleGzip()).code)
  await mkdir(node)
  await writeFile(join(node, 'index.js'), (await bundleNode()).code)
  await mkdir(types)
  for (const output of [phone, types])
    await writeFile(join(output, 'package.json'), '{ "type": "commonjs" }\n')
  await copyDeclarations(['client/index', 'client/gzip', 'client/node'])
  return bundle
}

/** Copies declarations with their imports, without file extensions, which every module resolution supports. */
async function copyDeclarations(entries: readonly string[]): Promise<void> {
  const seen = new Set<string>()
  for (const open = [...entries]; open.length > 0; ) {
    const path = open.pop() ?? ''
    if (seen.has(path)) continue
    seen.add(path)
    const [part = '', ...rest] = path.split('/')
    const source = join(
      part === 'crypto' ? declarations.crypto : declarations.client,
      `${rest.join('/')}.d.ts`,
    )
    const text = (await readFile(source, 'utf8')).replace(/^\/\/# sourceMappingURL.*$/m, '')
    const target = join(folder, 'types', `${path}.d.ts`)
    await mkdir(dirname(target), { recursive: true })
    await writeFile(
      target,
      text.replace(importedModule, (_, keyword: string, imported: string) => {
        const module = pathOf(path, imported)
        open.push(module)
        return `${keyword}'${relativePath(path, module)}'`
      }),
    )
  }
}

/** The path of an imported module under `types/`, without its extension. */
function pathOf(from: string, imported: string): string {
  if (imported.startsWith('.')) return join(dirname(from), imported).replace(/\.ts$/, '')
  return join('crypto', imported.replace(/^miniseal-protocol\/?/, '') || 'index')
}

function relativePath(from: string, to: string): string {
  const path = relative(dirname(from), to)
  return path.startsWith('.') ? path : `./${path}`
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { code } = await writePackage()
  console.log(`${bundlePath}: ${code.length} characters`)
}
