/** JavaScriptCore without a JIT, as iOS runs mini programs: a shell for the code, and this process for its network. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { requireTool } from '../../support/required-tool.ts'
import type { LoopbackWx } from '../../support/wx-loopback.ts'
import type { LoopbackSocket } from '../../support/wx-sockets.ts'

const path = '/usr/bin/jsc'

requireTool(existsSync(path), 'libjavascriptcoregtk-4.0-bin')

export interface JscOptions {
  /** CommonJS, as the build makes it. */
  readonly bundle: string
  /** JavaScript: `async (miniseal, settings) => JSON-safe result`. */
  readonly page: string
  readonly settings: object
  readonly wx: LoopbackWx
  readonly withoutBigInt?: boolean
  readonly timeoutMs?: number
}

/** Runs the page with the bundle and gives its result. @throws Error what the page threw, or when it takes too long. */
export async function runInJsc(options: JscOptions): Promise<unknown> {
  const folder = await mkdtemp(join(tmpdir(), 'miniseal-jsc-'))
  const file = join(folder, 'page.js')
  try {
    await writeFile(file, await programOf(options))
    return await converse(file, options)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function programOf({ bundle, page, settings, withoutBigInt = false }: JscOptions): Promise<string> {
  const program = await readFile(new URL('engine-program.js', import.meta.url), 'utf8')
  return `${program}
${withoutBigInt ? 'delete globalThis.BigInt; delete globalThis.BigInt64Array; delete globalThis.BigUint64Array' : ''}
runPage(() => {
  const module = { exports: {} }
  const require = (path) => { throw new Error("module '" + path + ".js' is not defined") }
  ;(function (require, module, exports) {${bundle}
})(require, module, module.exports)
  return (${page})(module.exports, ${JSON.stringify(settings)})
})`
}

interface Message {
  readonly do: 'log' | 'timer' | 'api' | 'socket' | 'send' | 'close' | 'done'
  readonly id: number
  readonly name: string
  readonly milliseconds: number
  readonly options: Record<string, unknown>
  readonly data: { readonly hex: string }
  readonly text: string
  readonly result: unknown
  readonly error: string | undefined
}

async function converse(file: string, { wx, timeoutMs = 60_000 }: JscOptions): Promise<unknown> {
  const shell = spawn(path, [file], {
    env: { ...process.env, JSC_useJIT: '0' },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const sockets = new Map<number, LoopbackSocket>()
  const tell = (id: number, kind: string, result: object): void => {
    if (shell.stdin.writable) shell.stdin.write(`${ascii({ id, kind, result: packed(result) })}\n`)
  }
  shell.stdin.on('error', () => {})
  const timer = setTimeout(() => shell.kill('SIGKILL'), timeoutMs)
  try {
    for await (const line of createInterface({ input: shell.stdout })) {
      if (!line.startsWith('\u0001')) throw new Error(`the shell says: ${line}`)
      const message = JSON.parse(line.slice(1)) as Message
      if (message.do === 'done') {
        if (message.error !== undefined) throw new Error(`in the shell: ${message.error}`)
        return message.result
      }
      execute(message, wx, sockets, tell)
    }
    throw new Error('the shell ended, or was ended for taking too long')
  } finally {
    clearTimeout(timer)
    for (const socket of sockets.values()) socket.close({})
    shell.kill('SIGKILL')
  }
}

function execute(
  message: Message,
  wx: LoopbackWx,
  sockets: Map<number, LoopbackSocket>,
  tell: (id: number, kind: string, result: object) => void,
): void {
  const { id } = message
  const callbacks = {
    success: (result: object) => tell(id, 'success', result),
    fail: (result: object) => tell(id, 'fail', result),
  }
  switch (message.do) {
    case 'log':
      console.log(message.text)
      return
    case 'timer':
      setTimeout(() => tell(id, 'timer', {}), message.milliseconds)
      return
    case 'api': {
      const call = wx[message.name as keyof LoopbackWx] as (options: object) => unknown
      call({ ...unpacked(message.options), ...callbacks })
      return
    }
    case 'socket': {
      const socket = wx.connectSocket(message.options as { url: string })
      sockets.set(id, socket)
      socket.onOpen((result) => tell(id, 'open', result))
      socket.onMessage((result) => tell(id, 'message', result))
      socket.onError((result) => tell(id, 'error', result))
      socket.onClose((result) => tell(id, 'close', result))
      return
    }
    case 'send':
      sockets.get(id)?.send({ data: bufferOf(message.data.hex) })
      return
    case 'close':
      sockets.get(id)?.close({})
      return
    case 'done':
  }
}

function packed(result: object): object {
  const entries = Object.entries(result).map(([name, value]): [string, unknown] => {
    return [name, isBuffer(value) ? { hex: Buffer.from(value).toString('hex') } : value]
  })
  return Object.fromEntries(entries)
}

function unpacked(options: Record<string, unknown>): object {
  const entries = Object.entries(options).map(([name, value]): [string, unknown] => {
    const isHex = typeof value === 'object' && value !== null && 'hex' in value
    return [name, isHex ? bufferOf(String(value.hex)) : value]
  })
  return Object.fromEntries(entries)
}

function bufferOf(hex: string): ArrayBuffer {
  return new Uint8Array(Buffer.from(hex, 'hex')).buffer
}

function isBuffer(value: unknown): value is ArrayBuffer {
  return Object.prototype.toString.call(value) === '[object ArrayBuffer]'
}

/** The shell reads bytes as Latin-1. */
function ascii(value: object): string {
  return JSON.stringify(value).replace(/[\u0080-\uffff]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
