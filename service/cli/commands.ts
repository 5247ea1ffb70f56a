/** Every command by its name. */
import { audit } from './audit.ts'
import { auditor } from './auditor.ts'
import { backup, restore } from './backup.ts'
import { call } from './call.ts'
import type { Command, CommandGroup } from './command.ts'
import { devices } from './devices.ts'
import { explain } from './explain.ts'
import { keys } from './keys.ts'
import { push } from './push.ts'
import { serveCommand } from './serve.ts'
import { sessions } from './sessions.ts'
import { wechatSandbox } from './wechat-sandbox.ts'

export const commands: Readonly<Record<string, Command | CommandGroup>> = {
  serve: serveCommand,
  call,
  explain,
  keys,
  auditor,
  audit,
  devices,
  sessions,
  push,
  backup,
  restore,
  'wechat-sandbox': wechatSandbox,
}
