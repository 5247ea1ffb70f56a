/** `miniseal serve`: the service, until it is told to stop. */
import { parseArgs } from 'node:util'
import type { Config } from '../config/config.ts'
import { readConfig } from '../config/config.ts'
import { createLogger } from '../observability/logger.ts'
import type { RunningService } from '../server.ts'
import { startService } from '../server.ts'
import type { Command } from './command.ts'
import { removeDevelopmentFile, writeDevelopmentFile } from './development-file.ts'
import { untilSignal } from './signals.ts'

const usage = `usage: miniseal serve

Runs the service, in development with a WeChat sandbox and a demo wallet beside it.
It is configured by the environment: HOST, PORT, MINISEAL_ORIGIN, MINISEAL_DATABASE, MINISEAL_DATA,
MINISEAL_MASTER_KEY, MINISEAL_WECHAT_APPS, MINISEAL_WECHAT_API, MINISEAL_UPSTREAMS, MINISEAL_ROUTES_FILE,
MINISEAL_LIMITS, MINISEAL_TRUSTED_PROXIES, MINISEAL_MAX_DEVICES, MINISEAL_EVENT_DAYS, MINISEAL_PUSH_KEYS,
MINISEAL_LOG_ORIGIN, MINISEAL_LOG_POLICY_FILE, MINISEAL_TSA_URL, MINISEAL_METRICS_TOKEN, MINISEAL_LOG_LEVEL, and
NODE_ENV=production, which refuses every development default. docs/guides/operations.md has them all.
`

/** Ends on SIGTERM or SIGINT, after what runs is finished; a second signal ends it at once. */
export const serveCommand: Command = {
  summary: 'run the service',
  usage,
  isServer: true,
  async run(args, terminal) {
    parseArgs({ args: [...args], options: {}, strict: true })
    const config = readConfig(terminal.environment)
    const log = createLogger(config.logLevel)
    const service = await startService(config, log)
    if (config.mode === 'development') publish(config, service)
    terminal.out(greeting(config, service))
    await untilSignal()
    terminal.out('stopping: finishing what runs\n')
    await service.stop()
    if (config.mode === 'development') removeDevelopmentFile(config.dataFolder)
    return 0
  },
}

function publish(config: Config, service: RunningService): void {
  writeDevelopmentFile(config.dataFolder, {
    origin: service.origin,
    roots: [...service.roots],
    appid: config.wechatApps[0]?.appid ?? '',
    ...(service.sandboxUrl === undefined ? {} : { sandbox: service.sandboxUrl }),
  })
}

function greeting(config: Config, service: RunningService): string {
  if (config.mode === 'production') return `miniseal serves ${service.origin} on ${service.url}\n`
  const sandbox = service.sandboxUrl === undefined ? [] : [`  WeChat sandbox  ${service.sandboxUrl}`]
  const wallet = config.upstreams === undefined ? ['  demo wallet     behind the channel, play money'] : []
  const pages =
    service.sandboxUrl !== undefined && config.upstreams === undefined
      ? [`  two phones      ${service.url}/demo/`]
      : []
  return [
    '',
    `Miniseal is running, in development mode.`,
    '',
    `  service         ${service.origin}`,
    ...sandbox,
    ...wallet,
    ...pages,
    `  auditors        ${service.url}/audit, with a token: npx miniseal auditor add NAME`,
    `  root key        ${service.roots[0] ?? ''}`,
    '',
    'Next, in a second terminal:',
    '',
    '  npx miniseal call GET /wallet',
    `  npx miniseal call POST /wallet/transfers -d '{"payee":"bob","amount":1250,"currency":"CNY"}'`,
    '',
    'Each call logs in, is signed and sealed, and its answer is verified. Ctrl+C stops the service.',
    '',
    '',
  ].join('\n')
}
