/** Where the files of the mini program lie before they are laid out, by the path they get in the package. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundlePath } from './bundle.ts'

/** The repository's root. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** The mini program in TypeScript. */
export const appFolder = join(root, 'miniprogram', 'app')

/** Packages, under the folder where WeChat's npm build puts them; TDesign ships that form ready-made. */
const packages: readonly (readonly [string, string])[] = [
  ['miniprogram_npm/miniseal-client/index.js', join(root, bundlePath)],
  [
    'miniprogram_npm/tdesign-miniprogram/',
    join(root, 'node_modules', 'tdesign-miniprogram', 'miniprogram_dist'),
  ],
]

/** The real path of a file of the package; it need not exist. */
function realPath(path: string): string {
  for (const [prefix, directory] of packages) {
    if (path === prefix) return directory
    if (prefix.endsWith('/') && path.startsWith(prefix)) return join(directory, path.slice(prefix.length))
  }
  return join(appFolder, path)
}

export function isFile(path: string): boolean {
  const real = realPath(path)
  return existsSync(real) && statSync(real).isFile()
}

/** @throws Error when there is no such file. */
export function readSource(path: string): string {
  return readFileSync(realPath(path), 'utf8')
}

/** The same for what is not text. */
export function readSourceBytes(path: string): Uint8Array {
  return readFileSync(realPath(path))
}

/**
 * Finds what `request`, written in the file `from`, stands for: an absolute path of the package, one relative to the
 * file, or a package of the nearest `miniprogram_npm` above, as in WeChat.
 *
 * @param find gives the file for a path without an ending, or `undefined`
 */
export function resolveFrom(
  from: string,
  request: string,
  find: (path: string) => string | undefined,
): string | undefined {
  if (request.startsWith('/')) return find(request.slice(1))
  const relative = find(posix.join(posix.dirname(from), request))
  if (relative !== undefined || request.startsWith('.')) return relative
  for (let folder = posix.dirname(from); ; folder = posix.dirname(folder)) {
    const found = find(posix.join(folder, 'miniprogram_npm', request))
    if (found !== undefined) return found
    if (folder === '.') return undefined
  }
}
