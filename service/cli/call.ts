/** `miniseal call METHOD PATH`: a whole client in a terminal, for testing and scripts. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Answer, Channel, KeyValueStorage, RequestOptions } from 'miniseal-client/node'
import { ChannelError, createChannel, fetchTransport } from 'miniseal-client/node'
import { z } from 'zod'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import type { Command, ExitCode, Terminal } from './command.ts'
import { CommandFailed, UsageError } from './command.ts'
import { confirmInSandbox, findStepUp } from './confirmation.ts'
import type { DevelopmentFile } from './development-file.ts'
import { findDevelopmentFile } from './development-file.ts'

const usage = `usage: miniseal call METHOD PATH [-d BODY] [options]

Logs in, sends one signed and sealed request, verifies the answer and prints its body.
Without options it finds the development service that npm start runs from this folder.

  -d, --data BODY          JSON to send; @FILE reads a file, @- standard input
  -k, --idempotency-key K  to repeat a request safely; made at random otherwise
  -i, --include            print status and headers too
      --confirm            confirm by finger, in the sandbox, where the service asks for it
      --as NAME            log in through the sandbox as this person (default: demo-user)
      --code CODE          log in with a real wx.login code
      --sandbox[=URL]      log in through a WeChat sandbox
      --origin URL         the service
      --root KEY           root key to pin, base64url; may be repeated
      --appid APPID        the mini program

The exit code is 0 for an answer below 400, 1 for another answer or a refusal, 2 for a wrong call, 3 when the
service could not be asked.
`

const options = {
  data: { type: 'string', short: 'd' },
  'idempotency-key': { type: 'string', short: 'k' },
  include: { type: 'boolean', short: 'i', default: false },
  confirm: { type: 'boolean', default: false },
  as: { type: 'string', default: 'demo-user' },
  code: { type: 'string' },
  sandbox: { type: 'string' },
  origin: { type: 'string' },
  root: { type: 'string', multiple: true },
  appid: { type: 'string' },
} as const

type Values = ReturnType<typeof parseValues>['values']

function parseValues(args: readonly string[]) {
  // `--sandbox` stands alone more often than not; parseArgs would take the next word for its value.
  const marked = args.map((arg) => (arg === '--sandbox' ? '--sandbox=' : arg))
  return parseArgs({ args: marked, options, allowPositionals: true, strict: true })
}

export const call: Command = {
  summary: 'send one signed, sealed request',
  usage,
  async run(args, terminal) {
    const { values, positionals } = parseValues(args)
    const [method, path, ...more] = positionals
    if (method === undefined || path === undefined || more.length > 0)
      throw new UsageError('call takes METHOD and PATH')
    const body = values.data === undefined ? undefined : parseBody(values.data)
    const channel = openChannel(values, terminal)
    try {
      const key = values['idempotency-key']
      const request: RequestOptions = {
        method: method.toUpperCase(),
        path,
        ...(body === undefined ? {} : { body }),
        ...(key === undefined ? {} : { idempotencyKey: key }),
      }
      const answer = values.confirm
        ? await sendConfirmed(channel, request, values, terminal)
        : await channel.request(request)
      return print(answer, values.include, terminal)
    } catch (error) {
      if (error instanceof ChannelError) return explain(error, terminal)
      throw error
    }
  },
}

/** Says what is confirmed, confirms it, and sends the same request, with the same key, once more. */
async function sendConfirmed(
  channel: Channel,
  request: RequestOptions,
  values: Values,
  terminal: Terminal,
): Promise<Answer> {
  try {
    return await channel.request(request)
  } catch (error) {
    const asked = error instanceof ChannelError ? findStepUp(error) : undefined
    if (!(error instanceof ChannelError) || asked === undefined) throw error
    const found = findDevelopmentFile(folderOf(terminal))
    terminal.err(`confirming: ${asked.summary}\n`)
    const field = await confirmInSandbox(sandboxUrl(values, found), openidOf(values.as), asked.challenge)
    const { idempotencyKey } = error
    const headers = { 'step-up': field }
    return await channel.request({
      ...request,
      headers,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    })
  }
}

function parseBody(data: string): unknown {
  const text = data.startsWith('@') ? readData(data.slice(1)) : data
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError('the body is not JSON')
  }
}

function readData(name: string): string {
  try {
    return readFileSync(name === '-' ? 0 : name, 'utf8')
  } catch {
    throw new CommandFailed('the file of the body cannot be read')
  }
}

function openChannel(values: Values, terminal: Terminal): Channel {
  if (values.confirm && values.code !== undefined)
    throw new UsageError('--confirm needs the sandbox: a real finger is on a phone')
  const folder = folderOf(terminal)
  const found = findDevelopmentFile(folder)
  const origin = values.origin ?? found?.origin
  const roots = values.root ?? found?.roots
  const appid = values.appid ?? found?.appid
  if (origin === undefined) {
    throw new CommandFailed(
      'no development service was found here: start one with npm start, or give --origin and --root',
    )
  }
  if (roots === undefined)
    throw new UsageError('--root is needed with --origin: miniseal keys export prints it')
  if (appid === undefined) throw new UsageError('--appid is needed with --origin')
  const name = values.code === undefined ? values.as : 'wechat-user'
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(name)) throw new UsageError('--as takes letters, digits, - and _')
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
    // Who sits at a terminal sees at once what is wrong, and repeats it with `-k`.
    retries: 0,
  })
}

function folderOf(terminal: Terminal): string {
  return terminal.environment.MINISEAL_DATA || 'data'
}

/** Who somebody is in the sandbox. */
function openidOf(name: string): string {
  return `sandbox-${name}`
}

function sandboxUrl(values: Values, found: DevelopmentFile | undefined): string {
  const url = values.sandbox || found?.sandbox
  if (url !== undefined) return url
  throw new UsageError('there is no sandbox: give --code CODE, or --sandbox=URL')
}

async function sandboxCode(sandbox: string, appid: string, name: string): Promise<string> {
  const response = await fetch(`${sandbox}/sandbox/codes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ appid, openid: openidOf(name) }),
  })
  if (!response.ok) throw new CommandFailed(`the sandbox gave no login code (status ${response.status})`)
  return z.object({ code: z.string() }).parse(await response.json()).code
}

/** A file per value, readable by its owner alone: the device key of a terminal. */
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

function print(answer: Answer, isFull: boolean, terminal: Terminal): ExitCode {
  if (isFull) {
    terminal.out(`${answer.status}\n`)
    for (const [name, value] of Object.entries(answer.headers)) terminal.out(`${name}: ${value}\n`)
    terminal.out('\n')
  }
  const text = answer.text()
  if (text !== '') terminal.out(`${text}\n`)
  return answer.status < 400 ? 0 : 1
}

function explain(error: ChannelError, terminal: Terminal): ExitCode {
  const status = error.status === undefined ? '' : ` (${error.status})`
  terminal.err(`${error.code}${status}: ${error.detail ?? error.text('en')}\n`)
  const asked = findStepUp(error)
  if (asked !== undefined) {
    terminal.err(`It asks its user to confirm: ${asked.summary}\n`)
    terminal.err('Confirm it in the sandbox with: --confirm\n')
  }
  if (error.outcome === 'unknown') {
    terminal.err(`It may have happened. Repeat it safely with: -k ${error.idempotencyKey ?? ''}\n`)
  }
  return ['network', 'timeout', 'login_failed'].includes(error.reason ?? error.code) ? 3 : 1
}
