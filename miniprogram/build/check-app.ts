/** Checks the mini program: WeChat's size limits, and no resources of foreign hosts. */
import { pathToFileURL } from 'node:url'
import type { AppFiles } from './app-files.ts'
import { collectAppFiles } from './app-files.ts'

/** WeChat's limit for the main package. */
const MAX_BYTES = 2 * 1024 * 1024

/** WeChat's limit for a tab bar icon. */
const MAX_ICON_BYTES = 40 * 1024

export interface AppReport {
  readonly bytes: number
  readonly files: number
  /** One message per violation. */
  readonly problems: readonly string[]
}

/** Checks the files of the package. */
export function checkApp(files: AppFiles): AppReport {
  const sizes = [...files].map(([path, content]): readonly [string, number] => [
    path,
    Buffer.byteLength(content),
  ])
  const bytes = sizes.reduce((sum, [, size]) => sum + size, 0)
  const problems = [
    ...(bytes > MAX_BYTES ? [`package size ${bytes} exceeds the limit of ${MAX_BYTES} bytes`] : []),
    ...sizes
      .filter(([path, size]) => path.startsWith('images/tabs/') && size > MAX_ICON_BYTES)
      .map(([path]) => `${path} exceeds the size limit of a tab bar icon`),
    ...[...files]
      .filter(([, content]) => loadsFromForeignHost(String(content)))
      .map(([path]) => `${path} loads from a foreign host`),
  ]
  return { bytes, files: files.size, problems }
}

/** In a style sheet or template. */
function loadsFromForeignHost(content: string): boolean {
  return /(?:url\(\s*['"]?|\bsrc\s*=\s*['"])(?:https?:)?\/\//.test(content)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { bytes, files, problems } = checkApp(collectAppFiles())
  console.log(`mini program: ${files} files, ${bytes} bytes`)
  for (const problem of problems) console.error(problem)
  process.exitCode = problems.length === 0 ? 0 : 1
}
