/** Bundles the auditors' pages into `service/dist/pages/audit`: one script, one style, nothing that is loaded from elsewhere. */
import { join } from 'node:path'
import { build } from 'esbuild'
import { packageRoot } from '../../package-root.ts'

/** Where {@link writeAuditPages} puts `app.js` and `app.css`, from the package's folder. */
const auditPagesFolder = 'dist/pages/audit'

/** @throws Error when esbuild finds an error, or a warning. @returns bytes by file name */
export async function writeAuditPages(): Promise<Readonly<Record<string, number>>> {
  const root = packageRoot()
  const sources = join(root, 'admin', 'web')
  const { warnings, metafile } = await build({
    absWorkingDir: root,
    entryPoints: [
      { in: join(sources, 'main.tsx'), out: 'app' },
      { in: join(sources, 'style.css'), out: 'app' },
    ],
    outdir: auditPagesFolder,
    bundle: true,
    conditions: ['source'],
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    charset: 'utf8',
    jsx: 'automatic',
    jsxImportSource: 'hono/jsx/dom',
    // tweetnacl looks for a generator of node's; nothing here draws random bytes.
    define: { require: 'undefined' },
    minify: true,
    legalComments: 'eof',
    metafile: true,
    logLevel: 'silent',
  })
  const [warning] = warnings
  if (warning !== undefined) throw new Error(`esbuild warns: ${warning.text} (${warning.location?.file})`)
  return Object.fromEntries(Object.entries(metafile.outputs).map(([path, { bytes }]) => [path, bytes]))
}
