/** `miniseal wechat-sandbox`: the WeChat API simulator alone. */
import { parseArgs } from 'node:util'
import { readConfig } from '../config/config.ts'
import { createSandbox } from '../wechat/sandbox/sandbox.ts'
import type { Command } from './command.ts'
import { UsageError } from './command.ts'
import { untilSignal } from './signals.ts'

const usage = `usage: miniseal wechat-sandbox [--port 8788] [--host 127.0.0.1]

A server that behaves as WeChat's server API does, for tests and development. Point a service at it with
MINISEAL_WECHAT_API. It serves the apps of MINISEAL_WECHAT_APPS (default: its own).

  POST /sandbox/codes   {"appid","openid"?}                           a wx.login code
  POST /sandbox/soter   {"openid","challenge"}                        a biometric confirmation
  POST /sandbox/faults  {"path","errcode"?|"status"?|"delay_ms"?|"drop"?,"times"?}
`

export const wechatSandbox: Command = {
  summary: "a simulator of WeChat's server API",
  usage,
  isServer: true,
  async run(args, terminal) {
    const { values } = parseArgs({
      args: [...args],
      options: { port: { type: 'string', default: '8788' }, host: { type: 'string', default: '127.0.0.1' } },
      strict: true,
    })
    if (!/^[0-9]{1,5}$/.test(values.port) || Number(values.port) > 65535)
      throw new UsageError('--port must be a port')
    const { NODE_ENV: _, PORT: __, HOST: ___, ...environment } = terminal.environment
    const sandbox = createSandbox({ apps: readConfig(environment).wechatApps })
    const { url } = await sandbox.start(Number(values.port), values.host)
    terminal.out(`the WeChat sandbox listens on ${url}\n`)
    await untilSignal()
    await sandbox.close()
    return 0
  },
}
