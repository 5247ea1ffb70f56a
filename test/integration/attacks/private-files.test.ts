/** Another local user without a key: no file of the service or its commands is readable by others. */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { freePort, runMiniseal } from '../../support/service-process.ts'

it('no file of a service is readable by others, whatever the umask', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'miniseal-private-'))
  const environment = {
    PORT: String(await freePort()),
    MINISEAL_DATA: join(folder, 'data'),
    MINISEAL_DATABASE: `sqlite:${join(folder, 'data', 'miniseal.db')}`,
    MINISEAL_WECHAT_API: 'http://127.0.0.1:1',
  }
  const service = runMiniseal(['serve'], environment)
  try {
    await service.waitFor('Ctrl+C')
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name))
    const names = files.map((file) => file.slice(folder.length + 6))
    expect(names).toEqual(
      expect.arrayContaining([
        'miniseal.db',
        'miniseal.db-wal',
        'miniseal.db-shm',
        'demo-wallet.db',
        'master.key',
      ]),
    )
    expect(names.some((name) => name.endsWith('.checkpoint'))).toBe(true)
    for (const file of files) expect(statSync(file).mode & 0o077, file).toBe(0)
  } finally {
    service.child.kill('SIGTERM')
    await service.finished
    rmSync(folder, { recursive: true, force: true })
  }
})
