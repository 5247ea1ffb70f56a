/** Where the package lies: the folder of its `package.json`, from sources and from `dist/` alike. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PACKAGE_NAME = 'miniseal'

/**
 * The absolute path of the nearest folder above this file whose `package.json` is Miniseal's own. Compiled code
 * runs two levels deeper than sources do, so a path relative to this file would be wrong for one of them.
 *
 * @throws Error when there is none, that is when files were copied out of the package.
 */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (nameOfPackageIn(folder) !== PACKAGE_NAME) {
    const parent = dirname(folder)
    if (parent === folder) throw new Error(`no folder above this file is the package ${PACKAGE_NAME}`)
    folder = parent
  }
  return folder
}

/** Where the migrations are: the repository's folder when sources run, its copy in `dist/` when compiled code does. */
export function migrationsFolder(): string {
  const isSource = import.meta.url.endsWith('.ts')
  return isSource ? join(packageRoot(), '..', 'migrations') : join(packageRoot(), 'dist', 'migrations')
}

function nameOfPackageIn(folder: string): unknown {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    return typeof manifest === 'object' && manifest !== null && 'name' in manifest ? manifest.name : undefined
  } catch {
    return undefined // no package.json here, or not one that can be read: look further up
  }
}
