/** Two services on one database, as two processes of a service are: they share database, master key and origin only. */
import { randomBytes } from 'node:crypto'
import { sandboxApp } from '../../service/wechat/apps.ts'
import { createSandbox } from '../../service/wechat/sandbox/sandbox.ts'
import type { TestDatabase } from '../integration/store/engines.ts'
import { type OwnService, startTestService, type TestServiceOptions } from './service.ts'
import { freePort } from './service-process.ts'

export interface TwoServices {
  readonly here: OwnService
  readonly there: OwnService
  close(): Promise<void>
}

type TestBackend = NonNullable<TestServiceOptions['backend']>

const nothing: TestBackend = {
  answer: async () => ({ status: 204, fields: [], content: new Uint8Array(0) }),
}

export async function startTwoServices(
  { location }: TestDatabase,
  more: Readonly<Record<string, string>> = {},
  backendOf: (name: 'here' | 'there') => TestBackend = () => nothing,
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
    startTestService({ environment: { ...environment, PORT: port }, backend: backendOf('here') }),
    startTestService({ environment, backend: backendOf('there') }),
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
