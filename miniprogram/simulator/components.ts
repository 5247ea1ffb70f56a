/** The pages and components of a laid-out mini program, each after those that it uses. */
import { z } from 'zod'
import type { AppFiles } from '../build/app-files.ts'
import { findComponent, readAppManifest } from '../build/references.ts'
import { resolveFrom } from '../build/sources.ts'

/** What `<component>.json` may say that matters here; the rest goes to the framework as it is. */
const manifestShape = z.looseObject({
  component: z.boolean().optional(),
  styleIsolation: z.string().optional(),
  usingComponents: z.record(z.string(), z.string()).default({}),
})

type Manifest = z.infer<typeof manifestShape>

export interface HostedComponent {
  /** Without an ending. */
  readonly path: string
  readonly isPage: boolean
  /** The manifest with absolute paths of components. */
  readonly manifest: Manifest
  /** Put before the class names of a component that keeps its styles to itself. */
  readonly prefix: string | undefined
}

/** @throws Error for a component that is not there. */
export function collectComponents(files: AppFiles): readonly HostedComponent[] {
  const found = new Map<string, HostedComponent>()
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
    if (path === undefined) throw new Error(`${from} uses ${request}, which is not there`)
    return [tag, `/${path}`]
  })
  return Object.fromEntries(entries)
}

function isIsolated({ component, styleIsolation }: Manifest): boolean {
  if (component !== true) return false
  return styleIsolation === undefined || ['isolated', 'apply-shared'].includes(styleIsolation)
}
