/** Builds the mini program for WeChat DevTools: `npm run build:app`. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import type { AppFiles } from './app-files.ts'
import { collectAppFiles, compileModule } from './app-files.ts'
import { root } from './sources.ts'

/** The project folder for DevTools, relative to the repository. */
const appOutput = 'dist/miniprogram-app'

/** The service and its pinned root keys. */
interface AppSettings {
  readonly origin: string
  readonly appid: string
  readonly roots: readonly string[]
}

/** Replaces {@link appOutput}. Without `settings`, uses those of `app/settings.ts`. */
function writeApp(settings: AppSettings | undefined): AppFiles {
  const collected = collectAppFiles()
  const files = settings === undefined ? collected : withSettings(collected, settings)
  const folder = join(root, appOutput)
  rmSync(folder, { recursive: true, force: true })
  for (const [path, content] of files) {
    const target = join(folder, path)
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, content)
  }
  return files
}

/** The files with other settings. */
export function withSettings(files: AppFiles, settings: AppSettings): AppFiles {
  const project: unknown = JSON.parse(String(files.get('project.config.json')))
  return new Map([
    ...files,
    ['settings.js', compileModule('settings.ts', `export const settings = ${JSON.stringify(settings)}`)],
    [
      'project.config.json',
      `${JSON.stringify({ ...(project as object), appid: settings.appid }, null, 2)}\n`,
    ],
  ])
}

const usage = `usage: npm run build:app -- [--origin https://pay.example.com --appid wx… --root <b64u> …]

Without options, the app uses the development service in miniprogram/app/settings.ts.
`

function run(args: readonly string[]): void {
  const { values } = parseArgs({
    args: [...args],
    options: {
      origin: { type: 'string' },
      appid: { type: 'string' },
      root: { type: 'string', multiple: true },
      help: { type: 'boolean' },
    },
  })
  const { origin, appid, root: roots } = values
  const given = [origin, appid, roots].filter((value) => value !== undefined).length
  if (values.help === true || (given !== 0 && given !== 3)) {
    process.stderr.write(usage)
    process.exitCode = values.help === true ? 0 : 2
    return
  }
  const isComplete = origin !== undefined && appid !== undefined && roots !== undefined
  const files = writeApp(isComplete ? { origin, appid, roots } : undefined)
  console.log(`${appOutput}: ${files.size} files`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) run(process.argv.slice(2))
