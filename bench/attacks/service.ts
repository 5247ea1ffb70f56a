/** A service in a child process with production limits, a small backend, and a WeChat API that can hang. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultLimits } from '../../service/limits/settings.ts'
import { sandboxApp } from '../../service/wechat/apps.ts'
import { createSandbox } from '../../service/wechat/sandbox/sandbox.ts'
import type { TestService } from '../../test/support/service.ts'
import { freePort, serviceOutside } from '../../test/support/service-process.ts'

export interface AttackedService {
  readonly service: TestService
  readonly environment: Readonly<Record<string, string>>
  readonly sandboxUrl: string
  readonly root: string
  readonly pid: number
  /** Resident bytes. */
  memory(): number
  /** Whether WeChat accepts calls without a response. */
  hangWechat(isHanging: boolean): void
  /** Limits the size of the service's files, as a full disk does. */
  limitFiles(bytes: number | 'unlimited'): Promise<void>
  close(): Promise<void>
}

/** The destination of log lines: a pipe with or without a reader, or `/dev/full`. */
export type Sink = 'read' | 'unread' | 'full'

export interface ServiceOptions {
  readonly sink?: Sink
  readonly environment?: Readonly<Record<string, string>>
}

export async function startAttacked({
  sink = 'read',
  environment: more = {},
}: ServiceOptions): Promise<AttackedService> {
  const folder = mkdtempSync(join(process.env.BENCH_FOLDER ?? tmpdir(), 'miniseal-attacks-'))
  const backend = await listenOn(backendServer())
  const sandbox = createSandbox({ apps: [sandboxApp] })
  const { url: sandboxUrl } = await sandbox.start(0, '127.0.0.1')
  let isHanging = false
  const wechat = await listenOn(proxyTo(sandboxUrl, () => isHanging))
  const environment: Record<string, string> = {
    PORT: String(await freePort()),
    MINISEAL_DATA: folder,
    MINISEAL_DATABASE: `sqlite:${join(folder, 'miniseal.db')}`,
    MINISEAL_WECHAT_API: wechat.url,
    MINISEAL_UPSTREAMS: `/pay=${backend.url},/hang=${backend.url}`,
    MINISEAL_LIMITS: productionLimits(),
    // A load decides when the disk is full.
    MINISEAL_DISK_RESERVE: '0',
    NODE_OPTIONS: `--import=data:text/javascript,process.on('SIGXFSZ',()=>{})`,
    ...more,
  }
  const main = new URL('../../service/bin/miniseal.js', import.meta.url).pathname
  const child = spawn(process.execPath, [main, 'serve'], {
    env: { PATH: process.env.PATH ?? '', ...environment },
    stdio: ['ignore', 'pipe', sink === 'full' ? openSync('/dev/full', 'w') : 'pipe'],
  })
  if (sink === 'read') child.stderr?.resume()
  const root = /root key\s+(\S+)/.exec(await startText(child))?.[1] ?? ''
  if (sink === 'read') child.stdout?.resume()
  const pid = child.pid ?? 0
  return {
    service: serviceOutside(environment, sandboxUrl, root),
    ...{ environment, sandboxUrl, root, pid },
    memory: () =>
      1_024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0),
    hangWechat: (hangs) => {
      isHanging = hangs
    },
    limitFiles: (bytes) => run('prlimit', ['--pid', String(pid), `--fsize=${bytes}:unlimited`]),
    async close() {
      const ended = new Promise((resolve) => child.once('close', resolve))
      child.stdout?.resume()
      child.stderr?.resume()
      child.kill('SIGKILL')
      await ended
      await Promise.all([backend.close(), wechat.close(), sandbox.close()])
      if (more.MINISEAL_DATA === undefined) rmSync(folder, { recursive: true, force: true })
    },
  }
}

function productionLimits(): string {
  return Object.entries(defaultLimits('production'))
    .map(
      ([name, limit]) => `${name}=${typeof limit === 'number' ? limit : `${limit.count}/${limit.seconds}`}`,
    )
    .join(',')
}

/** Responds at once, except to `/hang`. */
function backendServer(): Server {
  return createServer((request, response) => {
    if (request.url?.startsWith('/hang') === true) return
    response.writeHead(201, { 'content-type': 'application/json' }).end('{"paid":true}')
  })
}

function proxyTo(target: string, isHanging: () => boolean): Server {
  return createServer((request, response) => {
    if (isHanging()) return
    const chunks: Buffer[] = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', async () => {
      const { method = 'GET', url = '/' } = request
      const body = chunks.length === 0 ? null : Buffer.concat(chunks)
      const type = request.headers['content-type'] ?? 'application/json'
      const answer = await fetch(`${target}${url}`, { method, body, headers: { 'content-type': type } })
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? type })
      response.end(Buffer.from(await answer.arrayBuffer()))
    })
  })
}

async function listenOn(server: Server): Promise<{ readonly url: string; close(): Promise<void> }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function startText({ stdout, stderr }: ChildProcess): Promise<string> {
  let text = ''
  return await new Promise((resolve, reject) => {
    const onData = (chunk: Buffer): void => {
      text += String(chunk)
      if (!text.includes('Ctrl+C')) return
      stdout?.off('data', onData)
      stdout?.pause()
      resolve(text)
    }
    stdout?.on('data', onData)
    stdout?.once('close', () =>
      reject(new Error(`the service did not start: ${text}${stderr?.read() ?? ''}`)),
    )
  })
}

async function run(command: string, args: readonly string[]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    spawn(command, args, { stdio: 'ignore' }).once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`${command} ended with ${code}`)),
    )
  })
}
