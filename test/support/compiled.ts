/** Where the global setup puts what it compiles (`global-setup.ts`). */
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Of the scripts of child processes. */
export const compiledFolder = join(root, 'dist', 'test-children')

/** The program of the command line. */
export const compiledMain = join(root, 'service', 'dist', 'cli', 'main.js')

/** The compiled form of a script in `test/`, whose name ends with `child.ts`. */
export function compiledScript(source: URL): string {
  const path = relative(join(root, 'test'), fileURLToPath(source))
  return join(compiledFolder, path.replace(/\.ts$/, '.js'))
}
