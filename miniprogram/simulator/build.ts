/**
 * Builds the mini program into static pages for browsers, in `service/dist/pages/demo`, with glass-easel, WeChat's
 * component framework.
 */
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { build } from 'esbuild'
import { TmplGroup } from 'glass-easel-template-compiler'
import type { AppFiles } from '../build/app-files.ts'
import { collectAppFiles } from '../build/app-files.ts'
import { root } from '../build/sources.ts'
import { collectComponents, compileTemplates, wrapModules } from './compile.ts'
import { builtinNames } from './runtime/builtin-names.ts'
import { compileStyles } from './styles.ts'

/** From the repository's root. */
const pagesOutput = 'service/dist/pages/demo'

const simulatorFolder = join(root, 'miniprogram', 'simulator')

/** Replaces {@link pagesOutput}. @throws Error when the mini program does not compile */
export async function writePages(): Promise<void> {
  const files = collectAppFiles()
  const folder = join(root, pagesOutput)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'app.js'), programOf(files))
  writeFileSync(
    join(folder, 'app.css'),
    compileStyles(files, collectComponents(files), new Set(builtinNames)),
  )
  cpSync(join(simulatorFolder, 'page'), folder, { recursive: true })
  await build({
    absWorkingDir: root,
    entryPoints: { main: join(simulatorFolder, 'runtime', 'main.ts') },
    outdir: folder,
    bundle: true,
    conditions: ['source'],
    format: 'iife',
    target: 'es2022',
    minify: true,
    legalComments: 'eof',
    logLevel: 'error',
  })
}

/** The script that defines `window.miniProgram` for the simulator. */
function programOf(files: AppFiles): string {
  const components = collectComponents(files)
  const manifest = String(files.get('app.json')).trim()
  return `window.miniProgram={manifest:${manifest},
components:${JSON.stringify(components)},
templates:${compileTemplates(new TmplGroup(), files, components)},
images:${JSON.stringify(imagesOf(files))},
modules:${wrapModules(files)}}
`
}

/** Data URLs, because images of the package need no network on a phone. */
function imagesOf(files: AppFiles): Record<string, string> {
  const images = [...files].filter(([path]) => path.startsWith('images/'))
  const types: Readonly<Record<string, string>> = { '.svg': 'image/svg+xml', '.png': 'image/png' }
  return Object.fromEntries(
    images.map(([path, content]) => {
      return [path, `data:${types[extname(path)]};base64,${Buffer.from(content).toString('base64')}`]
    }),
  )
}
