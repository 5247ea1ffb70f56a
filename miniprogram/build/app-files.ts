/**
 * Every file of the mini program's package, found by following what is used from app.json on: of a component library
 * only what is used counts against WeChat's 2 MB.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { compileModule } from './modules.ts'
import {
  componentsOf,
  moduleReferences,
  readAppManifest,
  scriptOf,
  styleReferences,
  templateReferences,
  wxsReferences,
} from './references.ts'
import { appFolder, isFile, readSource, readSourceBytes } from './sources.ts'
import { localSheet } from './style-sheets.ts'

/** Path in the package, to its content. */
export type AppFiles = Map<string, string | Uint8Array>

/** Files that belong to the project as WeChat's DevTools opens it. */
const projectFiles = ['project.config.json', 'app.json', 'sitemap.json']

/** @throws Error for a file that is referred to and missing, or that does not compile. */
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
  const text = localSheet(readSource(path))
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
