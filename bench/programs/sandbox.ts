/** The WeChat sandbox in a child process, so that its cost does not count for the service. */
import { createSandbox } from '../../service/wechat/sandbox/sandbox.ts'
import { app } from '../wechat-app.ts'
import { serveCalls } from './calls.ts'

const sandbox = createSandbox({ apps: [app] })
const { url } = await sandbox.start(0, '127.0.0.1')

export const sandboxCalls = { where: async () => ({ url }) }

export type SandboxCalls = typeof sandboxCalls

serveCalls(sandboxCalls, () => sandbox.close())
