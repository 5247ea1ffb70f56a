/**
 * Vitest's global setup of the tiers that start processes: compiles the service and the scripts of child processes, so that
 * no child pays for a TypeScript loader.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'esbuild'
import { build } from 'esbuild'
import { compiledFolder } from './compiled.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Scripts that tests start with `compiledScript`. */
const scripts = /(?:^|[/-])child\.ts$/

export default async function setup(): Promise<void> {
  compile()
  await bundleScripts()
}

/** With a type error, tests on a developer's machine run against the previous output; in CI they do not run. */
function compile(): void {
  try {
    // `npm run build` writes the migrations last.
    if (
      isNewer(
        ['crypto', 'packages', 'miniprogram', 'migrations', 'service/admin/web'],
        'service/dist/migrations',
      )
    ) {
      run('npm', 'run', '--silent', 'build')
    } else if (isNewer(['service'], 'service/dist/.tsbuildinfo')) {
      run(join('node_modules', '.bin', 'tsc'), '-b', 'service', 'miniprogram/client')
    }
  } catch (error) {
    if (process.env.CI !== undefined) throw error
    console.warn('The build failed: child processes run what was compiled before.')
  }
}

function run(program: string, ...args: readonly string[]): void {
  execFileSync(program, args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
}

/** Whether a source in one of the folders is newer than an output. */
function isNewer(folders: readonly string[], output: string): boolean {
  const builtAt = modifiedAt(output)
  return folders.some((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => !/(?:^|\/)(?:dist|types|\w+_dist|node_modules)(?:\/|$)|\.tsbuildinfo$/.test(path))
      .some((path) => modifiedAt(join(folder, path)) > builtAt),
  )
}

/** Milliseconds; 0 when there is no such file. */
function modifiedAt(path: string): number {
  return statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0
}

/** Bundles the test code of each script; the service that it imports is the compiled one. */
async function bundleScripts(): Promise<void> {
  const entryPoints = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((path) => scripts.test(path))
    .map((path) => join('test', path))
  await build({
    absWorkingDir: root,
    entryPoints,
    outbase: 'test',
    outdir: compiledFolder,
    bundle: true,
    packages: 'external',
    plugins: [compiledService],
    platform: 'node',
    format: 'esm',
    target: 'es2022',
    sourcemap: true,
    logLevel: 'warning',
  })
}

const compiledService: Plugin = {
  name: 'compiled-service',
  setup({ onResolve }) {
    onResolve({ filter: /^\.{1,2}\/.*\.ts$/ }, ({ path, resolveDir }) => {
      const source = join(resolveDir, path)
      const service = join(root, 'service/')
      if (!source.startsWith(service)) return undefined
      return {
        path: join(service, 'dist', source.slice(service.length).replace(/\.ts$/, '.js')),
        external: true,
      }
    })
  },
}
