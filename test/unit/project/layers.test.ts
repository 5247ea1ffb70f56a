/** The layers of the service as one ordered table, and no cycle of imports anywhere. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** From the bottom: a folder or file of `service/` imports only from its own row or an earlier one. */
const layers: readonly (readonly string[])[] = [
  ['clock.ts', 'package-root.ts'],
  ['store'],
  ['messages', 'problems'],
  ['keys'],
  ['wechat'],
  ['limits'],
  ['gateway'],
  ['sessions'],
  ['tlog'],
  ['events'],
  ['channel'],
  ['transport'],
  ['observability'],
  ['demo'],
  ['admin/api'],
  ['admin'],
  ['reference'],
  ['explain'],
  ['witness'],
  ['config'],
  ['audit-log.ts'],
  ['maintenance.ts', 'dependencies.ts'],
  ['app.ts'],
  ['server.ts'],
  ['index.ts'],
  ['cli'],
  ['admin/web'],
  ['build.ts'],
]

interface Import {
  readonly from: string
  readonly to: string
}

/** Static and dynamic. */
const statement = /(?:^(?:import|export)\s[^;'"]*?from |\bimport\()'(\.[^']+)'/gm

const files = ['crypto', 'packages', 'miniprogram', 'service', 'test', 'bench']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path)),
  )
  .filter((path) => /(?<!\.d)\.tsx?$/.test(path))
  .filter((path) => !/(?:^|\/)(?:dist|types|\w+_dist|node_modules)\//.test(path))

const imports: readonly Import[] = files.flatMap((from) =>
  [...readFileSync(join(root, from), 'utf8').matchAll(statement)].map(([, path = '']) => ({
    from,
    to: normalize(join(dirname(from), path)),
  })),
)

/** The row's name of a path below `service/`. */
function partOf(path: string): string | undefined {
  const below = path.startsWith('service/') ? path.slice('service/'.length) : undefined
  return layers
    .flat()
    .filter((part) => below === part || below?.startsWith(`${part}/`))
    .sort((one, other) => other.length - one.length)[0]
}

const rowOf = (part: string): number => layers.findIndex((row) => row.includes(part))

function upwardImports(): readonly string[] {
  const found = imports.flatMap(({ from, to }) => {
    const [lower, upper] = [partOf(from), partOf(to)]
    if (lower === undefined || upper === undefined) return []
    return rowOf(upper) > rowOf(lower) ? [`${lower} -> ${upper}`] : []
  })
  return [...new Set(found)].sort()
}

/** The files that import themselves, directly or through others. */
function filesInCycles(edges: readonly Import[]): readonly string[] {
  const targets = new Map<string, string[]>()
  for (const { from, to } of edges) targets.set(from, [...(targets.get(from) ?? []), to])
  const reaches = (start: string): boolean => {
    const seen = new Set<string>()
    for (const open = [...(targets.get(start) ?? [])]; open.length > 0; ) {
      const file = open.pop() ?? ''
      if (file === start) return true
      if (seen.has(file)) continue
      seen.add(file)
      open.push(...(targets.get(file) ?? []))
    }
    return false
  }
  return [...targets.keys()].filter(reaches).sort()
}

it('every file of the service is in one row of the table, and every row exists', () => {
  const outside = files.filter((path) => path.startsWith('service/') && partOf(path) === undefined)
  expect(outside).toEqual([])
  const missing = layers.flat().filter((part) => !existsSync(join(root, 'service', part)))
  expect(missing).toEqual([])
})

it('no folder of the service imports from a later row', () => {
  expect(upwardImports()).toEqual([])
})

it('no file imports itself through others, not even for types or dynamically', () => {
  expect(filesInCycles(imports)).toEqual([])
})
