/** A service in a process of its own that is killed and started again, as its clients see it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sandboxApp } from '../../service/wechat/sandbox/default-app.ts'
import { createSandbox } from '../../service/wechat/sandbox/sandbox.ts'
import type { TestService } from './service.ts'
import type { RunningCommand } from './service-process.ts'
import { freePort, runMiniseal, serviceOutside } from './service-process.ts'

export interface KilledService {
  /** For `logIn` and `send`; what only the own process could do throws. */
  readonly service: TestService
  readonly folder: string
  /** Of the process that runs now. */
  pid(): number
  /** SIGKILL, wherever it is; resolves when it runs again. `between`: looks at what it has left. */
  restart(between: () => void): Promise<void>
  close(): Promise<void>
}

/** @param more of its environment */
export async function startKilledService(
  more: Readonly<Record<string, string>> = {},
): Promise<KilledService> {
  const folder = mkdtempSync(join(tmpdir(), 'miniseal-killed-'))
  const sandbox = createSandbox({ apps: [sandboxApp] })
  const { url } = await sandbox.start(0, '127.0.0.1')
  const environment = {
    PORT: String(await freePort()),
    MINISEAL_DATA: folder,
    MINISEAL_DATABASE: `sqlite:${join(folder, 'miniseal.db')}`,
    MINISEAL_WECHAT_API: url,
    MINISEAL_LOG_LEVEL: 'error',
    ...more,
  }
  let running: RunningCommand = runMiniseal(['serve'], environment)
  const greeting = await running.waitFor('Ctrl+C')
  const root = /root key\s+(\S+)/.exec(greeting)?.[1] ?? ''
  return {
    service: serviceOutside(environment, url, root),
    folder,
    pid: () => running.child.pid ?? 0,
    async restart(between) {
      running.child.kill('SIGKILL')
      await running.finished
      between()
      running = runMiniseal(['serve'], environment)
      await running.waitFor('Ctrl+C')
    },
    async close() {
      running.child.kill('SIGKILL')
      await running.finished
      await sandbox.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
