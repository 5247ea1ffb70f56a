/**
 * Collects the files of the mini program's package by following references from app.json, because only the used part
 * of a component library should count against WeChat's limit of 2 MB.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { transformSync } from 'esbuild'
import postcss from 'postcss'
import {
  appFolder,
  componentsOf,
  isFile,
  moduleReferences,
  readAppManifest,
  readSource,
  readSourceBytes,
  scriptOf,
  styleReferences,
  templateReferences,
  wxsReferences,
} from './sources.ts'

/** From path in the package to content. */
export type AppFiles = Map<string, string | Uint8Array>

/** Project files that WeChat DevTools requires. */
const projectFiles = ['project.config.json', 'app.json', 'sitemap.json']

/** @throws Error for a missing file, or one that does not compile */
export function collectAppFiles(): AppFiles {
  const files: AppFiles = new Map()
  for (const name of projectFiles) files.set(name, readSource(name))
  addScript(files, scriptOf('app'))
  if (isFile('app.wxss')) addSheet(files, 'app.wxss')
  for (const component of componentsOf('app.json')) addComponent(files, component)
  for (const page of readAppManifest().pages) addComponent(files, page)
  addImages(files, 'images')
  return files
}

function addComponent(files: AppFiles, path: string): void {
  const manifest = `${path}.json`
  if (files.has(manifest)) return
  files.set(manifest, readSource(manifest))
  addTemplate(files, `${path}.wxml`)
  if (isFile(`${path}.wxss`)) addSheet(files, `${path}.wxss`)
  addScript(files, scriptOf(path))
  for (const component of componentsOf(manifest)) addComponent(files, component)
}

function addTemplate(files: AppFiles, path: string): void {
  if (files.has(path)) return
  const text = readSource(path)
  files.set(path, text)
  const references = path.endsWith('.wxs') ? wxsReferences(path, text) : templateReferences(path, text)
  for (const reference of references) addTemplate(files, reference)
}

function addSheet(files: AppFiles, path: string): void {
  if (files.has(path)) return
  const text = removeForeignFonts(readSource(path))
  files.set(path, text)
  for (const reference of styleReferences(path, text)) addSheet(files, reference)
}

function addScript(files: AppFiles, path: string): void {
  const target = path.replace(/\.ts$/, '.js')
  if (files.has(target)) return
  const code = compileModule(path, readSource(path))
  files.set(target, code)
  for (const reference of moduleReferences(path, code).values()) addScript(files, reference)
}

function addImages(files: AppFiles, folder: string): void {
  for (const entry of readdirSync(join(appFolder, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) addImages(files, path)
    else if (/\.(png|svg)$/.test(entry.name)) files.set(path, readSourceBytes(path))
  }
}

/**
 * Removes fonts of foreign hosts, such as the one of TDesign's icons, which the app does not use.
 *
 * @throws Error for an invalid sheet
 */
export function removeForeignFonts(text: string): string {
  if (!text.includes('@font-face')) return text
  const sheet = postcss.parse(text)
  sheet.walkAtRules('font-face', (rule) => {
    if (/url\(\s*['"]?(https?:)?\/\//.test(rule.toString())) rule.remove()
  })
  return sheet.toString()
}

/** The client bundle is already CommonJS and is included unchanged. */
const clientPath = 'miniprogram_npm/miniseal-client/'

/** Compiles a module to CommonJS in ES2018, without bundling. @throws Error when it does not compile */
export function compileModule(path: string, source: string): string {
  if (path.startsWith(clientPath)) return source
  const { code } = transformSync(source, {
    loader: path.endsWith('.ts') ? 'ts' : 'js',
    format: 'cjs',
    target: 'es2018',
    charset: 'utf8',
    sourcefile: path,
    logLevel: 'silent',
  })
  return code
}
