import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Answer, Channel, KeyValueStorage, RequestOptions } from 'miniseal-client/node'
import { ChannelError, createChannel, fetchTransport, stepUpField } from 'miniseal-client/node'
import { z } from 'zod'
import { sodiumPrimitives } from '../../keys/sodium-primitives.ts'
import type { ExitCode, Terminal, Values } from '../command.ts'
import { CommandFailed, defineCommand, UsageError } from '../command.ts'
import type { DevelopmentFile } from '../development-file.ts'
import { findDevelopmentFile } from '../development-file.ts'

const callArguments = { method: {}, path: {} } as const

const options = {
  data: {
    type: 'string',
    short: 'd',
    value: 'BODY',
    help: 'JSON body; @FILE reads a file, @- standard input',
  },
  'idempotency-key': {
    type: 'string',
    short: 'k',
    value: 'KEY',
    help: 'key to repeat a request safely (default: random)',
  },
  include: { type: 'boolean', short: 'i', help: 'also print status and headers' },
  confirm: { type: 'boolean', help: 'confirm in the sandbox if step-up is required' },
  as: { type: 'string', value: 'NAME', default: 'demo-user', help: 'sandbox user' },
  code: { type: 'string', value: 'CODE', help: 'code of wx.login, to log in through WeChat' },
  sandbox: { type: 'string', value: 'URL', isValueOptional: true, help: 'log in through a WeChat sandbox' },
  origin: { type: 'string', value: 'URL', help: 'origin of the service' },
  root: { type: 'string', value: 'KEY', multiple: true, help: 'pinned root key, base64url' },
  appid: { type: 'string', value: 'APPID', help: 'appid of the mini program' },
} as const

type CallValues = Values<typeof callArguments, typeof options>

export const call = defineCommand({
  name: 'call',
  summary: 'log in, send a signed and encrypted request, print the verified response',
  arguments: callArguments,
  options,
  notes: `
By default it calls the development service that npm start runs in this folder.

Exit status: 0 for a status below 400, 1 for another status or a refusal, 2 for a usage error, 3 if the service cannot be
reached.
`,
  async run(values, terminal) {
    const { method, path, data, 'idempotency-key': key } = values
    const request: RequestOptions = {
      method: method.toUpperCase(),
      path,
      ...(data === undefined ? {} : { body: parseBody(data) }),
      ...(key === undefined ? {} : { idempotencyKey: key }),
    }
    const channel = openChannel(values, terminal)
    try {
      const answer = values.confirm
        ? await sendConfirmed(channel, request, values, terminal)
        : await channel.request(request)
      return print(answer, values.include, terminal)
    } catch (error) {
      if (error instanceof ChannelError) return printError(error, terminal)
      throw error
    }
  },
})

/** If step-up is required, confirms it in the sandbox and repeats the request with the same idempotency key. */
async function sendConfirmed(
  channel: Channel,
  request: RequestOptions,
  values: CallValues,
  terminal: Terminal,
): Promise<Answer> {
  try {
    return await channel.request(request)
  } catch (error) {
    const stepUp = error instanceof ChannelError ? findStepUp(error) : undefined
    if (!(error instanceof ChannelError) || stepUp === undefined) throw error
    const found = findDevelopmentFile(folderOf(terminal))
    terminal.err(`confirming: ${stepUp.summary}\n`)
    const openid = openidOf(values.as)
    const field = await confirmInSandbox(sandboxUrl(values, found), openid, stepUp.challenge)
    const { idempotencyKey } = error
    return await channel.request({
      ...request,
      headers: { 'step-up': field },
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    })
  }
}

const stepUpMembers = z.object({ challenge: z.string(), summary: z.string() })

/** Challenge and summary of a `step_up_required` (protocol, section 9); `undefined` for other errors. */
function findStepUp({ code, problem }: ChannelError): z.infer<typeof stepUpMembers> | undefined {
  return code === 'step_up_required' ? stepUpMembers.safeParse(problem).data : undefined
}

const soterReply = z.object({ resultJSON: z.string(), resultJSONSignature: z.string() })

/** @returns the value of the field `step-up`. @throws CommandFailed if the sandbox does not sign */
async function confirmInSandbox(sandbox: string, openid: string, challenge: string): Promise<string> {
  const reply = await postToSandbox(sandbox, 'soter', { openid, challenge })
  return stepUpField(challenge, soterReply.parse(reply))
}

async function sandboxCode(sandbox: string, appid: string, name: string): Promise<string> {
  const reply = await postToSandbox(sandbox, 'codes', { appid, openid: openidOf(name) })
  return z.object({ code: z.string() }).parse(reply).code
}

async function postToSandbox(sandbox: string, route: string, body: object): Promise<unknown> {
  const response = await fetch(`${sandbox}/sandbox/${route}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new CommandFailed(`the sandbox returned status ${response.status} for ${route}`)
  return await response.json()
}

function parseBody(data: string): unknown {
  const text = data.startsWith('@') ? readData(data.slice(1)) : data
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError('--data must be JSON')
  }
}

function readData(name: string): string {
  try {
    return readFileSync(name === '-' ? 0 : name, 'utf8')
  } catch {
    throw new CommandFailed(`${name} cannot be read`)
  }
}

function openChannel(values: CallValues, terminal: Terminal): Channel {
  if (values.confirm && values.code !== undefined)
    throw new UsageError('--confirm works only with the sandbox; WeChat confirms on the phone')
  const folder = folderOf(terminal)
  const found = findDevelopmentFile(folder)
  const origin = values.origin ?? found?.origin
  const roots = values.root.length > 0 ? values.root : found?.roots
  const appid = values.appid ?? found?.appid
  if (origin === undefined) {
    throw new CommandFailed(
      'no development service found: start one with npm start, or give --origin and --root',
    )
  }
  if (roots === undefined) throw new UsageError('--origin requires --root; miniseal keys export prints it')
  if (appid === undefined) throw new UsageError('--origin requires --appid')
  const name = values.code === undefined ? values.as : 'wechat-user'
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(name))
    throw new UsageError('--as must consist of 1 to 64 letters, digits, - and _')
  return createChannel({
    origin,
    appid,
    roots,
    transport: fetchTransport(),
    storage: fileStorage(join(folder, 'devices', `${encodeURIComponent(origin)}-${name}`)),
    random: async (length) => new Uint8Array(randomBytes(length)),
    login: async () => values.code ?? (await sandboxCode(sandboxUrl(values, found), appid, name)),
    platform: { platform: 'cli', base: process.version },
    primitives: sodiumPrimitives,
    // Errors are printed at once; the user repeats the request with `-k`.
    retries: 0,
  })
}

function folderOf(terminal: Terminal): string {
  return terminal.environment.MINISEAL_DATA || 'data'
}

function openidOf(name: string): string {
  return `sandbox-${name}`
}

function sandboxUrl(values: CallValues, found: DevelopmentFile | undefined): string {
  const url = values.sandbox || found?.sandbox
  if (url !== undefined) return url
  throw new UsageError('no sandbox found: give --code CODE or --sandbox=URL')
}

/** One file for each value, mode 0600; contains the device key of this terminal. */
function fileStorage(folder: string): KeyValueStorage {
  const pathOf = (key: string): string => join(folder, encodeURIComponent(key))
  return {
    get: async (key) => (existsSync(pathOf(key)) ? readFileSync(pathOf(key), 'utf8') : undefined),
    set: async (key, value) => {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      writeFileSync(pathOf(key), value, { mode: 0o600 })
    },
    remove: async (key) => rmSync(pathOf(key), { force: true }),
  }
}

function print(answer: Answer, hasHead: boolean, terminal: Terminal): ExitCode {
  if (hasHead) {
    terminal.out(`${answer.status}\n`)
    for (const [name, value] of Object.entries(answer.headers)) terminal.out(`${name}: ${value}\n`)
    terminal.out('\n')
  }
  const text = answer.text()
  if (text !== '') terminal.out(`${text}\n`)
  return answer.status < 400 ? 0 : 1
}

function printError(error: ChannelError, terminal: Terminal): ExitCode {
  const status = error.status === undefined ? '' : ` (${error.status})`
  terminal.err(`${error.code}${status}: ${error.detail ?? error.text('en')}\n`)
  const stepUp = findStepUp(error)
  if (stepUp !== undefined) {
    terminal.err(`The user must confirm: ${stepUp.summary}\n`)
    terminal.err('To confirm in the sandbox, add --confirm\n')
  }
  if (error.outcome === 'unknown') {
    terminal.err(
      `The request may have taken effect. Repeat it safely with: -k ${error.idempotencyKey ?? ''}\n`,
    )
  }
  return ['network', 'timeout', 'login_failed'].includes(error.reason ?? error.code) ? 3 : 1
}
