/** The folder of the package, for sources and compiled code. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const packageName = 'miniseal'

/**
 * The absolute path of the package: the nearest folder above this file whose `package.json` has its name. Compiled
 * files lie deeper than sources, so a relative path would not work for both.
 *
 * @throws Error when files were copied out of the package.
 */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (nameOfPackageIn(folder) !== packageName) {
    const parent = dirname(folder)
    if (parent === folder) throw new Error(`no folder above this file contains the package ${packageName}`)
    folder = parent
  }
  return folder
}

/** The migrations: in the repository for sources, in `dist/` for compiled code. */
export function migrationsFolder(): string {
  const isSource = import.meta.url.endsWith('.ts')
  return isSource ? join(packageRoot(), '..', 'migrations') : join(packageRoot(), 'dist', 'migrations')
}

function nameOfPackageIn(folder: string): unknown {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    return typeof manifest === 'object' && manifest !== null && 'name' in manifest ? manifest.name : undefined
  } catch {
    return undefined // no readable package.json in this folder
  }
}
