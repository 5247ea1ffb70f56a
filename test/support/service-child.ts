/** A service in a process of its own with a small heap, its WeChat sandbox in this one: what attacks are made against. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sandboxApp } from '../../service/wechat/sandbox/default-app.ts'
import type { Sandbox } from '../../service/wechat/sandbox/sandbox.ts'
import { createSandbox } from '../../service/wechat/sandbox/sandbox.ts'
import type { TestService } from './service.ts'
import type { RunningCommand } from './service-process.ts'
import { freePort, runMiniseal, serviceOutside } from './service-process.ts'

export interface ServiceChild {
  readonly service: TestService
  readonly port: number
  readonly running: RunningCommand
  readonly sandbox: Sandbox
  /** Resident bytes of the process (proc(5), `VmRSS`). */
  residentMemory(): number
  /** The sum of all series of a metric whose labels hold `labels`. */
  metric(name: string, labels?: string): Promise<number>
  /** CPU seconds that the process has used: unlike time, they do not depend on what else the machine does. */
  cpuSeconds(): Promise<number>
  stop(): Promise<void>
}

/** @param heap megabytes of the child's heap */
export async function startServiceChild(
  settings: Readonly<Record<string, string>> = {},
  heap = 256,
): Promise<ServiceChild> {
  const folder = mkdtempSync(join(tmpdir(), 'miniseal-child-'))
  const sandbox = createSandbox({ apps: [sandboxApp] })
  const { url } = await sandbox.start(0, '127.0.0.1')
  const port = await freePort()
  const environment = {
    PORT: String(port),
    MINISEAL_DATA: folder,
    MINISEAL_DATABASE: `sqlite:${join(folder, 'miniseal.db')}`,
    MINISEAL_WECHAT_API: url,
    MINISEAL_LOG_LEVEL: 'error',
    NODE_OPTIONS: `--max-old-space-size=${heap} --max-semi-space-size=4`,
    MALLOC_ARENA_MAX: '2',
    ...settings,
  }
  const running = runMiniseal(['serve'], environment)
  const root = /root key\s+(\S+)/.exec(await running.waitFor('Ctrl+C'))?.[1] ?? ''
  const service = serviceOutside(environment, url, root)
  const metric = async (name: string, labels = ''): Promise<number> => {
    const text = await (await fetch(`${service.origin}/metrics`)).text()
    const lines = text.split('\n').filter((line) => new RegExp(`^${name}[{ ]`).test(line))
    return lines
      .filter((line) => line.includes(labels))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
  }
  // The metrics of the process begin with the first look.
  await metric('process_cpu_seconds_total')
  return {
    ...{ service, port, running, sandbox, metric },
    residentMemory() {
      const status = readFileSync(`/proc/${running.child.pid}/status`, 'utf8')
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024
    },
    cpuSeconds: () => metric('process_cpu_seconds_total'),
    async stop() {
      running.child.kill('SIGKILL')
      await running.finished
      await sandbox.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
