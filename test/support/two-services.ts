/** Two processes' worth of services on one database; they share nothing else. */
import { randomBytes } from 'node:crypto'
import type { Backend } from '../../service/gateway/backend.ts'
import { sandboxApp } from '../../service/wechat/apps.ts'
import { createSandbox } from '../../service/wechat/sandbox/sandbox.ts'
import type { TestDatabase } from '../integration/store/engines.ts'
import type { OwnService } from './service.ts'
import { startTestService } from './service.ts'
import { freePort } from './service-process.ts'

export interface TwoServices {
  readonly here: OwnService
  readonly there: OwnService
  close(): Promise<void>
}

const nothing: Backend = {
  answer: async () => ({ status: 204, fields: [], content: new Uint8Array(0) }),
  close: async () => {},
}

export async function startTwoServices(
  { location }: TestDatabase,
  more: Readonly<Record<string, string>> = {},
): Promise<TwoServices> {
  const sandbox = createSandbox({ apps: [sandboxApp] })
  const { url } = await sandbox.start(0, '127.0.0.1')
  const port = String(await freePort())
  const environment = {
    MINISEAL_ORIGIN: `http://127.0.0.1:${port}`,
    MINISEAL_DATABASE: location.kind === 'sqlite' ? `sqlite:${location.path}` : location.url,
    MINISEAL_MASTER_KEY: randomBytes(32).toString('base64'),
    MINISEAL_WECHAT_API: url,
    ...more,
  }
  const [here, there] = await Promise.all([
    startTestService({ environment: { ...environment, PORT: port }, backend: nothing }),
    startTestService({ environment, backend: nothing }),
  ])
  return {
    here,
    there,
    async close() {
      await Promise.all([here.close(), there.close()])
      await sandbox.close()
    },
  }
}
