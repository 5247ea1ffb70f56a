/** `npm run build` adds the auditors' pages and the migrations to the compiled service. */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeAuditPages } from './admin/web/build.ts'
import { packageRoot } from './package-root.ts'

const migrations = join(packageRoot(), 'dist', 'migrations')

for (const [path, bytes] of Object.entries(await writeAuditPages())) console.log(`${path}: ${bytes} bytes`)
rmSync(migrations, { recursive: true, force: true })
cpSync(join(packageRoot(), '..', 'migrations'), migrations, {
  recursive: true,
  filter: (source) => !source.endsWith('.config.ts'),
})
