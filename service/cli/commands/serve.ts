import type { Config } from '../../config/config.ts'
import { readConfig } from '../../config/config.ts'
import { createLogger } from '../../observability/logger.ts'
import type { RunningService } from '../../server.ts'
import { startService } from '../../server.ts'
import { defineCommand } from '../command.ts'
import { removeDevelopmentFile, writeDevelopmentFile } from '../development-file.ts'
import { untilSignal } from '../terminal.ts'

export const serve = defineCommand({
  name: 'serve',
  summary: 'run the service',
  isServer: true,
  notes: `
In development it includes a WeChat sandbox and a demo wallet. Stops on SIGTERM or SIGINT after running requests have
finished; a second signal ends it immediately.

Environment: HOST, PORT, MINISEAL_ORIGIN, MINISEAL_DATABASE, MINISEAL_DATA,
MINISEAL_MASTER_KEY, MINISEAL_WECHAT_APPS, MINISEAL_WECHAT_API, MINISEAL_UPSTREAMS, MINISEAL_ROUTES_FILE,
MINISEAL_LIMITS, MINISEAL_TRUSTED_PROXIES, MINISEAL_MAX_DEVICES, MINISEAL_EVENT_DAYS, MINISEAL_PUSH_KEYS,
MINISEAL_LOG_ORIGIN, MINISEAL_LOG_POLICY_FILE, MINISEAL_TSA_URL, MINISEAL_METRICS_TOKEN, MINISEAL_LOG_LEVEL, and
NODE_ENV=production, which refuses all development defaults. docs/guides/operations.md describes them.
`,
  async run(_values, terminal) {
    const config = readConfig(terminal.environment)
    const service = await startService(config, createLogger(config.logLevel))
    if (config.mode === 'development') {
      writeDevelopmentFile(config.dataFolder, {
        origin: service.origin,
        roots: [...service.roots],
        appid: config.wechatApps[0]?.appid ?? '',
        ...(service.sandboxUrl === undefined ? {} : { sandbox: service.sandboxUrl }),
      })
    }
    terminal.out(greeting(config, service))
    await untilSignal()
    terminal.out('stopping: waiting for running requests\n')
    await service.stop()
    if (config.mode === 'development') removeDevelopmentFile(config.dataFolder)
    return 0
  },
})

function greeting(config: Config, service: RunningService): string {
  if (config.mode === 'production') return `miniseal serves ${service.origin} on ${service.url}\n`
  const isDemo = config.upstreams === undefined
  const hasSandbox = service.sandboxUrl !== undefined
  return [
    '',
    'Miniseal is running in development mode.',
    '',
    `  service         ${service.origin}`,
    ...(hasSandbox ? [`  WeChat sandbox  ${service.sandboxUrl}`] : []),
    ...(isDemo ? ['  demo wallet     behind the channel, play money'] : []),
    ...(isDemo && hasSandbox ? [`  two phones      ${service.url}/demo/`] : []),
    `  auditors        ${service.url}/audit, with a token: npx miniseal auditor add NAME`,
    `  root key        ${service.roots[0] ?? ''}`,
    '',
    'In a second terminal:',
    '',
    '  npx miniseal call GET /wallet',
    `  npx miniseal call POST /wallet/transfers -d '{"payee":"bob","amount":1250,"currency":"CNY"}'`,
    '',
    'Each call logs in, sends one signed and encrypted request, and verifies the response. Ctrl+C stops the service.',
    '',
    '',
  ].join('\n')
}
