/** Packages as `npm pack` builds them, from what the global setup has built. */
import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

export const run = promisify(execFile)
export const repository = new URL('../../..', import.meta.url).pathname

/** Unpacks the tarball of a workspace into `node_modules/` of `folder`. @returns its path */
export async function installPacked(folder: string, name: string, workspace: string): Promise<string> {
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], {
    cwd: join(repository, workspace),
  })
  const [{ filename }] = JSON.parse(stdout)
  const target = join(folder, 'node_modules', name)
  await mkdir(target, { recursive: true })
  await run('tar', ['-xzf', join(folder, filename), '--strip-components=1', '-C', target])
  return target
}
