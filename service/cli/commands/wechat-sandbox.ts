import { readConfig } from '../../config/config.ts'
import { createSandbox } from '../../wechat/sandbox/sandbox.ts'
import { defineCommand } from '../command.ts'
import { hostOption, parsePort } from '../option-values.ts'
import { untilSignal } from '../terminal.ts'

export const wechatSandbox = defineCommand({
  name: 'wechat-sandbox',
  summary: "run a simulator of WeChat's server API",
  isServer: true,
  options: {
    port: { type: 'string', value: 'PORT', default: '8788', help: 'port to listen on' },
    host: hostOption,
  },
  notes: `
For tests and development. Set MINISEAL_WECHAT_API of the service to the URL of the sandbox. It serves the apps of
MINISEAL_WECHAT_APPS (default: its own app).

  POST /sandbox/codes   {"appid","openid"?}                           issue a wx.login code
  POST /sandbox/soter   {"openid","challenge"}                        confirm a challenge biometrically
  POST /sandbox/faults  {"path","errcode"?|"status"?|"delay_ms"?|"drop"?,"times"?}   make calls fail
`,
  async run({ port, host }, terminal) {
    const portNumber = parsePort(port)
    // These variables describe the service, not the sandbox.
    const { NODE_ENV: _, PORT: __, HOST: ___, ...environment } = terminal.environment
    const sandbox = createSandbox({ apps: readConfig(environment).wechatApps })
    const { url } = await sandbox.start(portNumber, host)
    terminal.out(`WeChat sandbox listening on ${url}\n`)
    await untilSignal()
    await sandbox.close()
    return 0
  },
})
