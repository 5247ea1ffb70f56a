/** Installed packages are those that were reviewed: exact versions, digests, no URLs, and only two install scripts run. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'

const root = new URL('../../..', import.meta.url)
const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, root), 'utf8'))

const versions = z.record(z.string(), z.string())
const own = z
  .object({
    workspaces: z.array(z.string()),
    devDependencies: versions,
    allowScripts: z.record(z.string(), z.boolean()),
  })
  .parse(read('package.json'))
const workspaces = own.workspaces.map((folder) =>
  z
    .object({ dependencies: versions.default({}), devDependencies: versions.default({}) })
    .parse(read(`${folder}/package.json`)),
)
const locked = z.object({
  version: z.string().optional(),
  resolved: z.string().optional(),
  integrity: z.string().optional(),
  link: z.boolean().optional(),
  hasInstallScript: z.boolean().optional(),
  dev: z.boolean().optional(),
  optional: z.boolean().optional(),
  os: z.array(z.string()).optional(),
  cpu: z.array(z.string()).optional(),
  libc: z.array(z.string()).optional(),
})
const lock = z
  .object({ lockfileVersion: z.number(), packages: z.record(z.string(), locked) })
  .parse(read('package-lock.json'))
const packages = Object.entries(lock.packages).filter(
  ([path, { link }]) => path.includes('node_modules/') && link !== true,
)

/**
 * A developer's tool in machine code for another system than Linux on x64 with glibc, where the lockfile is written: npm does
 * not fetch it there, so it does not know its digest. Nothing that a service installs is one.
 */
function isForElsewhere({ dev, optional, os, cpu, libc }: z.infer<typeof locked>): boolean {
  const isHere =
    (os?.includes('linux') ?? true) && (cpu?.includes('x64') ?? true) && (libc?.includes('glibc') ?? true)
  return dev === true && optional === true && !isHere
}

const nameOf = (path: string): string =>
  path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)

describe('package.json', () => {
  it('package.json names one exact version of every package', () => {
    const loose = [own, ...workspaces]
      .flatMap((manifest) =>
        Object.entries({
          ...manifest.devDependencies,
          ...('dependencies' in manifest ? manifest.dependencies : {}),
        }),
      )
      .filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/.test(version))
    expect(loose).toEqual([])
  })

  it('package.json names no package twice', () => {
    for (const { dependencies, devDependencies } of workspaces) {
      expect(Object.keys(dependencies).filter((name) => name in devDependencies)).toEqual([])
    }
  })
})

describe('package-lock.json', () => {
  it('package-lock.json has the versions of package.json', () => {
    for (const [name, version] of Object.entries(own.devDependencies)) {
      expect(lock.packages[`node_modules/${name}`]?.version, name).toBe(version)
    }
  })

  it('package-lock.json has a SHA-512 and no URL of every package, except tools of other systems', () => {
    const without = packages.filter(([, entry]) => {
      if (entry.integrity === undefined) return !isForElsewhere(entry)
      return !/^sha512-[A-Za-z0-9+/]{86}==$/.test(entry.integrity)
    })
    expect(without.map(([path]) => path)).toEqual([])
    expect(packages.filter(([, { resolved }]) => resolved !== undefined)).toEqual([])
  })

  it('only known packages have install scripts, allowed or listed as unneeded', () => {
    const withScripts = packages
      .filter(([, { hasInstallScript }]) => hasInstallScript === true)
      .map(([path]) => nameOf(path))
    const mayRun = Object.entries(own.allowScripts)
      .filter(([, may]) => may)
      .map(([name]) => name)
    expect(mayRun.sort()).toEqual(['better-sqlite3', 'esbuild'])
    // What npm does not run: fsevents is for macOS alone, and tdesign-miniprogram's only thanks its users.
    const notRun = ['fsevents', 'tdesign-miniprogram']
    expect(
      [...new Set(withScripts)].filter((name) => !mayRun.includes(name) && !notRun.includes(name)),
    ).toEqual([])
  })
})

const bom = z.object({
  bomFormat: z.literal('CycloneDX'),
  specVersion: z.string().regex(/^1\.[5-9]$/),
  metadata: z.object({ component: z.object({ 'bom-ref': z.string(), version: z.string() }) }),
  components: z.array(
    z.object({
      'bom-ref': z.string(),
      name: z.string(),
      version: z.string(),
      purl: z.string().regex(/^pkg:npm\//),
      hashes: z
        .array(z.object({ alg: z.literal('SHA-512'), content: z.string().regex(/^[0-9a-f]{128}$/) }))
        .optional(),
    }),
  ),
  dependencies: z.array(z.object({ ref: z.string(), dependsOn: z.array(z.string()) })),
})

it('npm run sbom lists every package of the lockfile with its digest and its dependencies', () => {
  const text = execFileSync('npm', ['run', '--silent', 'sbom'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
  const { metadata, components, dependencies } = bom.parse(JSON.parse(text))
  const listed = new Set(components.map(({ name, version }) => `${name}@${version}`))
  const missing = packages
    .map(([path, { version }]) => `${nameOf(path)}@${version}`)
    .filter((name) => !listed.has(name))
  expect(missing).toEqual([])
  const digested = new Set(
    components.filter(({ hashes }) => hashes !== undefined).map(({ 'bom-ref': ref }) => ref),
  )
  const undigested = packages.filter(
    ([path, entry]) => !isForElsewhere(entry) && !digested.has(`${nameOf(path)}@${entry.version}`),
  )
  expect(undigested).toEqual([])
  expect(metadata.component['bom-ref']).toMatch(/^miniseal-workspace@/)
  const edges = new Map(dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]))
  const direct = edges.get(metadata.component['bom-ref']) ?? []
  for (const [name, version] of Object.entries(own.devDependencies))
    expect(direct).toContain(`${name}@${version}`)
  for (const { 'bom-ref': ref } of components) expect(edges.has(ref), ref).toBe(true)
})

it('no npm configuration file names another registry', () => {
  const settings = readFileSync(new URL('.npmrc', root), 'utf8')
  expect(settings).not.toMatch(/registry *=|_auth|token/i)
  expect(existsSync(new URL('npm-shrinkwrap.json', root))).toBe(false)
})
