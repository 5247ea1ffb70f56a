/**
 * Builds the mini program into static pages for browsers, in `service/dist/pages/demo`: on WeChat's own component framework, with the
 * rest of a phone drawn around it. For development; `npm run build` runs it.
 */
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { build } from 'esbuild'
import { TmplGroup } from 'glass-easel-template-compiler'
import type { AppFiles } from '../build/app-files.ts'
import { collectAppFiles } from '../build/app-files.ts'
import { root } from '../build/sources.ts'
import { collectComponents } from './components.ts'
import { wrapModules } from './modules.ts'
import { builtinNames } from './runtime/builtins/names.ts'
import { compileStyles } from './styles.ts'
import { compileTemplates } from './templates.ts'

/** From the repository's root. */
const pagesOutput = 'service/dist/pages/demo'

const hostFolder = join(root, 'miniprogram', 'simulator')

/** Writes {@link pagesOutput} anew. @throws Error for an app that would not run on a phone either. */
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
  cpSync(join(hostFolder, 'page'), folder, { recursive: true })
  await build({
    absWorkingDir: root,
    entryPoints: { host: join(hostFolder, 'runtime', 'host.ts') },
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

/** The script that leaves the mini program for the host. */
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

/** Part of the program, so that they are there without a network, as on a phone. */
function imagesOf(files: AppFiles): Record<string, string> {
  const images = [...files].filter(([path]) => path.startsWith('images/'))
  const types: Readonly<Record<string, string>> = { '.svg': 'image/svg+xml', '.png': 'image/png' }
  return Object.fromEntries(
    images.map(([path, content]) => {
      return [path, `data:${types[extname(path)]};base64,${Buffer.from(content).toString('base64')}`]
    }),
  )
}
