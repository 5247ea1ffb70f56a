/** What one file of a mini program needs besides itself. */
import { z } from 'zod'
import { isFile, readSource, resolveFrom } from './sources.ts'

/** As much of app.json as decides which files there are. */
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

/** @throws Error when app.json is not what WeChat expects. */
export function readAppManifest(): AppManifest {
  return appShape.parse(JSON.parse(readSource('app.json')))
}

/** The components, as paths without an ending, that a page, a component or the app declares in `path`. */
export function componentsOf(path: string): readonly string[] {
  const { usingComponents } = componentShape.parse(JSON.parse(readSource(path)))
  return Object.values(usingComponents).map((request) => resolved(path, request, findComponent))
}

/** The templates and scripts that a WXML file includes. */
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

/** The modules that compiled code requires: its own words, and the files they stand for. */
export function moduleReferences(path: string, code: string): ReadonlyMap<string, string> {
  const required = [...code.matchAll(/\brequire\(\s*["']([^"']+)["']\s*\)/g)]
  return new Map(
    required.map(([, request = '']) => [request, resolved(path, request, findFile(moduleEndings))]),
  )
}

const moduleEndings = ['', '.js', '.ts', '/index.js', '/index.ts']

/** The script of a page, a component or the app. */
export function scriptOf(path: string): string {
  const found = findFile(['.ts', '.js'])(path)
  if (found === undefined) throw new Error(`${path} has no script`)
  return found
}

/** The component at a path without an ending: its own files, or `index` in a folder of that name. */
export function findComponent(path: string): string | undefined {
  return [path, `${path}/index`].find((candidate) => isFile(`${candidate}.json`))
}

function findFile(endings: readonly string[]): (path: string) => string | undefined {
  return (path) => endings.map((ending) => path + ending).find(isFile)
}

function resolved(from: string, request: string, find: (path: string) => string | undefined): string {
  const found = resolveFrom(from, request, find)
  if (found === undefined) throw new Error(`${from} needs ${request}, which is not there`)
  return found
}
