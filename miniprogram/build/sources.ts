/** The source files of the mini program, by their path in the package, and the references between them. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { bundlePath } from './bundle.ts'

/** The root of the repository. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** The folder of the mini program's sources. */
export const appFolder = join(root, 'miniprogram', 'app')

/** npm packages by their path in the mini program, as WeChat's npm build places them. */
const packages: readonly (readonly [string, string])[] = [
  ['miniprogram_npm/miniseal-client/index.js', join(root, bundlePath)],
  [
    'miniprogram_npm/tdesign-miniprogram/',
    join(root, 'node_modules', 'tdesign-miniprogram', 'miniprogram_dist'),
  ],
]

/** The location of a file of the package, which may not exist. */
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

/** @throws Error when the file does not exist */
export function readSource(path: string): string {
  return readFileSync(realPath(path), 'utf8')
}

/** As {@link readSource}, for binary files. */
export function readSourceBytes(path: string): Uint8Array {
  return readFileSync(realPath(path))
}

/**
 * Resolves `request` in the file `from` like WeChat: an absolute path of the package, a relative path, or a package in
 * the nearest `miniprogram_npm`.
 *
 * @param find returns the file for a path without an extension, or `undefined`
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

/** The part of app.json that references files. */
const appShape = z.object({
  pages: z.array(z.string()).min(1),
  usingComponents: z.record(z.string(), z.string()).default({}),
  tabBar: z
    .object({ list: z.array(z.object({ iconPath: z.string(), selectedIconPath: z.string() })) })
    .optional(),
  sitemapLocation: z.string().optional(),
})

const componentShape = z.object({ usingComponents: z.record(z.string(), z.string()).default({}) })

export type AppManifest = z.infer<typeof appShape>

/** @throws Error for an invalid app.json */
export function readAppManifest(): AppManifest {
  return appShape.parse(JSON.parse(readSource('app.json')))
}

/** The components that the manifest `path` declares, as paths without an extension. */
export function componentsOf(path: string): readonly string[] {
  const { usingComponents } = componentShape.parse(JSON.parse(readSource(path)))
  return Object.values(usingComponents).map((request) => resolved(path, request, findComponent))
}

/** The templates and scripts that a WXML file references. */
export function templateReferences(path: string, text: string): readonly string[] {
  const sources = [...text.matchAll(/<(?:import|include|wxs)\b[^>]*?\bsrc\s*=\s*"([^"]+)"/g)]
  return sources.map(([, request = '']) => resolved(path, request, findFile(['', '.wxml', '.wxs'])))
}

/** The modules that a WXS file requires. */
export function wxsReferences(path: string, text: string): readonly string[] {
  const required = [...text.matchAll(/\brequire\(\s*['"]([^'"]+)['"]\s*\)/g)]
  return required.map(([, request = '']) => resolved(path, request, findFile(['', '.wxs'])))
}

/** The sheets that a WXSS file imports. */
export function styleReferences(path: string, text: string): readonly string[] {
  const imported = [...text.matchAll(/@import\s+(?:url\()?['"]?([^'");]+)/g)]
  return imported.map(([, request = '']) => resolved(path, request, findFile(['', '.wxss'])))
}

/** The modules that compiled code requires, from request to file. */
export function moduleReferences(path: string, code: string): ReadonlyMap<string, string> {
  const required = [...code.matchAll(/\brequire\(\s*["']([^"']+)["']\s*\)/g)]
  return new Map(
    required.map(([, request = '']) => [request, resolved(path, request, findFile(moduleExtensions))]),
  )
}

const moduleExtensions = ['', '.js', '.ts', '/index.js', '/index.ts']

/** The script of a page, a component or the app. */
export function scriptOf(path: string): string {
  const found = findFile(['.ts', '.js'])(path)
  if (found === undefined) throw new Error(`${path} has no script`)
  return found
}

/** The component at a path without an extension: its own files, or `index` in a folder. */
export function findComponent(path: string): string | undefined {
  return [path, `${path}/index`].find((candidate) => isFile(`${candidate}.json`))
}

function findFile(extensions: readonly string[]): (path: string) => string | undefined {
  return (path) => extensions.map((extension) => path + extension).find(isFile)
}

function resolved(from: string, request: string, find: (path: string) => string | undefined): string {
  const found = resolveFrom(from, request, find)
  if (found === undefined) throw new Error(`${from} requires ${request}, which does not exist`)
  return found
}
