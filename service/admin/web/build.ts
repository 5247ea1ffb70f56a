/** Bundles the audit pages into `service/dist/pages/audit`: one script and one style sheet. */
import { join } from 'node:path'
import { build } from 'esbuild'
import { packageRoot } from '../../package-root.ts'

/** Output of {@link writeAuditPages}, relative to the package. */
const auditPagesFolder = 'dist/pages/audit'

/** @returns bytes by file name. @throws Error for an error or a warning of esbuild */
export async function writeAuditPages(): Promise<Readonly<Record<string, number>>> {
  const root = packageRoot()
  const sources = join(root, 'admin', 'web')
  const { warnings, metafile } = await build({
    absWorkingDir: root,
    entryPoints: [
      { in: join(sources, 'app.tsx'), out: 'app' },
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
    // tweetnacl looks for Node's random generator, which is not needed here.
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
