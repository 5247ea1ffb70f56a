/** Checks the laid-out mini program: WeChat's limit of size, and nothing that is fetched from a foreign host. */
import { pathToFileURL } from 'node:url'
import type { AppFiles } from './app-files.ts'
import { collectAppFiles } from './app-files.ts'

/** WeChat's limit for the main package. */
const MAX_BYTES = 2 * 1024 * 1024

/** Icons of the tab bar. */
const MAX_ICON_BYTES = 40 * 1024

export interface AppReport {
  readonly bytes: number
  readonly files: number
  /** What is wrong, one sentence each. */
  readonly problems: readonly string[]
}

/** Checks one layout. */
export function checkApp(files: AppFiles): AppReport {
  const sizes = [...files].map(([path, content]): readonly [string, number] => [
    path,
    Buffer.byteLength(content),
  ])
  const bytes = sizes.reduce((sum, [, size]) => sum + size, 0)
  const problems = [
    ...(bytes > MAX_BYTES ? [`${bytes} bytes are over the limit of ${MAX_BYTES}`] : []),
    ...sizes
      .filter(([path, size]) => path.startsWith('images/tabs/') && size > MAX_ICON_BYTES)
      .map(([path]) => `${path} is over the limit of a tab's icon`),
    ...[...files]
      .filter(([, content]) => namesForeignHost(String(content)))
      .map(([path]) => `${path} names a foreign host`),
  ]
  return { bytes, files: files.size, problems }
}

/** In a sheet or a template: what a phone fetches without being asked. */
function namesForeignHost(content: string): boolean {
  return /(?:url\(\s*['"]?|\bsrc\s*=\s*['"])(?:https?:)?\/\//.test(content)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { bytes, files, problems } = checkApp(collectAppFiles())
  console.log(`the mini program: ${files} files, ${bytes} bytes`)
  for (const problem of problems) console.error(problem)
  process.exitCode = problems.length === 0 ? 0 : 1
}
