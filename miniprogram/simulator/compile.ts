/** Compiles the pages, templates and scripts of a collected mini program for browsers. */
import { z } from 'zod'
import type { AppFiles } from '../build/app-files.ts'
import { foreignGlobals } from '../build/check-bundle.ts'
import {
  findComponent,
  moduleReferences,
  readAppManifest,
  resolveFrom,
  templateReferences,
  wxsReferences,
} from '../build/sources.ts'

/** The used part of `<component>.json`; the framework receives all of it. */
const manifestShape = z.looseObject({
  component: z.boolean().optional(),
  styleIsolation: z.string().optional(),
  usingComponents: z.record(z.string(), z.string()).default({}),
})

type Manifest = z.infer<typeof manifestShape>

export interface AppComponent {
  /** Without an extension. */
  readonly path: string
  readonly isPage: boolean
  /** With absolute component paths. */
  readonly manifest: Manifest
  /** Class name prefix of a component with isolated styles. */
  readonly prefix: string | undefined
}

/** The pages and components, each after its dependencies. @throws Error for a missing component */
export function collectComponents(files: AppFiles): readonly AppComponent[] {
  const found = new Map<string, AppComponent>()
  const started = new Set<string>()
  const global = absoluteComponents('app.json', manifestOf(files, 'app'))
  const add = (path: string, isPage: boolean): void => {
    if (started.has(path)) return
    started.add(path)
    const manifest = manifestOf(files, path)
    const usingComponents = { ...global, ...absoluteComponents(`${path}.json`, manifest) }
    for (const used of Object.values(usingComponents)) add(used.slice(1), false)
    const prefix = isIsolated(manifest) ? `c${found.size}` : undefined
    found.set(path, { path, isPage, manifest: { ...manifest, usingComponents }, prefix })
  }
  for (const page of readAppManifest().pages) add(page, true)
  return [...found.values()]
}

function manifestOf(files: AppFiles, path: string): Manifest {
  return manifestShape.parse(JSON.parse(String(files.get(`${path}.json`))))
}

function absoluteComponents(from: string, { usingComponents }: Manifest): Record<string, string> {
  const entries = Object.entries(usingComponents).map(([tag, request]): [string, string] => {
    const path = resolveFrom(from, request, findComponent)
    if (path === undefined) throw new Error(`${from} uses ${request}, which does not exist`)
    return [tag, `/${path}`]
  })
  return Object.fromEntries(entries)
}

function isIsolated({ component, styleIsolation }: Manifest): boolean {
  if (component !== true) return false
  return styleIsolation === undefined || ['isolated', 'apply-shared'].includes(styleIsolation)
}

/** The used members of the compiler's `TmplGroup`. */
export interface TemplateGroup {
  addTmpl(path: string, text: string): unknown
  addScript(path: string, text: string): void
  getInlineScriptModuleNames(path: string): unknown[]
  getInlineScript(path: string, name: string): string
  setInlineScript(path: string, name: string, text: string): void
  getTmplGenObjectGroups(): string
}

interface Problem {
  readonly path: string
  readonly message: string
  readonly startLine: number
  readonly isError: boolean
}

/** Compiles all WXML. @returns an expression: an object from path to template. @throws Error for invalid WXML */
export function compileTemplates(
  group: TemplateGroup,
  files: AppFiles,
  components: readonly AppComponent[],
): string {
  const done = new Set<string>()
  const add = (path: string): void => {
    if (done.has(path)) return
    done.add(path)
    const text = String(files.get(path))
    const name = path.replace(/\.(wxml|wxs)$/, '')
    if (path.endsWith('.wxs')) {
      group.addScript(name, adaptWxs(text))
      for (const reference of wxsReferences(path, text)) add(reference)
      return
    }
    assertCompiled(group.addTmpl(name, text))
    for (const inline of group.getInlineScriptModuleNames(name).map(String)) {
      group.setInlineScript(name, inline, adaptWxs(group.getInlineScript(name, inline)))
    }
    for (const reference of templateReferences(path, text)) add(reference)
  }
  for (const { path } of components) add(`${path}.wxml`)
  return group.getTmplGenObjectGroups()
}

function assertCompiled(result: unknown): void {
  const problems = (Array.isArray(result) ? result : []) as readonly Problem[]
  const error = problems.find(({ isError }) => isError)
  if (error === undefined) return
  throw new Error(`${error.path}.wxml:${error.startLine + 1}: ${error.message}`)
}

/** Adapts WXS, which differs from JavaScript in `getRegExp`, `getDate` and `constructor`, a name in WXS. */
function adaptWxs(text: string): string {
  const prelude =
    'var getRegExp=function(p,f){return new RegExp(p,f)};' +
    'var getDate=function(a){return arguments.length===0?new Date():new Date(a)};'
  const adapted = text
    .replace(/\.constructor\b/g, '.constructor.name')
    // WXS strings have no escape sequences.
    .replace(/\bgetRegExp\(\s*(['"])((?:\\.|(?!\1).)*)\1/g, (_, __, body: string) => {
      return `getRegExp(${JSON.stringify(body)}`
    })
  return prelude + adapted
}

/** The variables that WeChat provides to modules, in the order of `ModuleFunction`. */
const moduleParameters = 'require module exports wx App Page Component Behavior getApp getCurrentPages'.split(
  ' ',
)

/** Wraps all modules in functions. @returns an expression: an object from path to `{ references, run }` */
export function wrapModules(files: AppFiles): string {
  const modules = [...files].filter(([path]) => path.endsWith('.js'))
  return `{${modules.map(([path, code]) => wrapModule(path, String(code))).join(',\n')}}`
}

function wrapModule(path: string, code: string): string {
  const references = [...moduleReferences(path, code)].map(([request, target]): [string, string] => {
    return [request, target.replace(/\.ts$/, '.js')]
  })
  // Parameters of the same name hide the globals that phones lack.
  const parameters = [...moduleParameters, ...foreignGlobals].join(',')
  // The inner function allows modules to declare variables with the hidden names.
  return `${JSON.stringify(path)}:{references:${JSON.stringify(Object.fromEntries(references))},run:function(${parameters}){"use strict";(function(){${code}\n}).call(undefined)}}`
}
