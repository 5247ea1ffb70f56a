/** A service that a program has made with `createService`, as its clients see it. */
import type { RunningService } from '../../service/index.ts'
import { sandboxApp } from '../../service/wechat/sandbox/default-app.ts'
import type { TestService } from './service.ts'

/** As much of a test's service as a raw client needs, and as a mini program does. */
export function clientOf(service: RunningService): TestService {
  const sandbox = async (path: string, body: unknown): Promise<unknown> => {
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${service.sandboxUrl}${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    })
    return answer.json()
  }
  return {
    origin: service.origin,
    sandboxUrl: service.sandboxUrl ?? '',
    roots: service.roots,
    appid: sandboxApp.appid,
    environment: {},
    url: service.url,
    logText: () => '',
    advanceClock: () => {},
    now: () => Math.floor(Date.now() / 1000),
    code: async () => {
      const made = (await sandbox('/sandbox/codes', { appid: sandboxApp.appid })) as { code: string }
      return made.code
    },
    sandbox,
    close: () => service.stop(),
  }
}
