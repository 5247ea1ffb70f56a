/** Runs the programs of `docs/guides/`, taken from the pages. */
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { requireTool, runs } from '../../support/required-tool.ts'
import { blockOf, root } from './documents.ts'

export const guides = ['node', 'python', 'go', 'java'] as const

export type Guide = (typeof guides)[number]

interface Language {
  readonly file: string
  /** The language of the fence. */
  readonly fence: string
  readonly heading: string
  /** Whether this machine can run it. */
  readonly isHere: boolean
  readonly needs: string
  /** The command of the guide, without variables. */
  readonly command: readonly [string, ...string[]]
}

/** Only Debian's interpreter finds Debian's module, and it may not be first on the path. */
const python = ['python3', '/usr/bin/python3'].find((program) => {
  return (
    spawnSync(program, ['-c', 'import cryptography, sys; sys.exit(sys.version_info < (3, 9))']).status === 0
  )
})

const languages: Readonly<Record<Guide, Language>> = {
  node: {
    file: 'backend.mjs',
    fence: 'js',
    heading: 'Behind the gateway',
    isHere: true,
    needs: 'node',
    command: ['node', 'backend.mjs'],
  },
  python: {
    file: 'backend.py',
    fence: 'python',
    heading: 'The program',
    isHere: python !== undefined,
    needs: 'python3-cryptography',
    command: ['python3', 'backend.py'],
  },
  go: {
    file: 'backend.go',
    fence: 'go',
    heading: 'The program',
    isHere: runs('go', 'version'),
    needs: 'golang-go',
    command: ['go', 'run', 'backend.go'],
  },
  java: {
    file: 'Backend.java',
    fence: 'java',
    heading: 'The program',
    isHere: runs('java', '-version'),
    needs: 'default-jdk-headless',
    command: ['java', 'Backend.java'],
  },
}

export function programOf(guide: Guide): string {
  const { fence, heading } = languages[guide]
  return blockOf(`docs/guides/${guide}.md`, fence, heading).text
}

export interface ShownCaller {
  readonly user: string
}

/** The program of `docs/guides/node.md` with third-party libraries; it throws for an invalid request. */
export async function importLibraryProgram(
  origin: string,
): Promise<(request: object, body: Buffer) => Promise<ShownCaller>> {
  const { text } = blockOf('docs/guides/node.md', 'js', 'Without our package')
  const path = join(mkdtempSync(join(tmpdir(), 'miniseal-guide-')), 'verify.mjs')
  // The packages of this project instead of the backend's.
  const { resolve } = createRequire(import.meta.url)
  writeFileSync(
    path,
    text.replace(/from '(jose|http-message-sig)'/g, (_, name: string) => `from '${resolve(name)}'`),
  )
  const before = process.env.MINISEAL_ORIGIN
  process.env.MINISEAL_ORIGIN = origin
  try {
    return (await import(/* @vite-ignore */ path)).verifyGatewayRequest
  } finally {
    if (before === undefined) delete process.env.MINISEAL_ORIGIN
    else process.env.MINISEAL_ORIGIN = before
  }
}

export interface RunningProgram {
  readonly url: string
  close(): Promise<void>
}

/** Starts the program and waits until it listens. */
export async function startProgram(guide: Guide, origin: string, port: number): Promise<RunningProgram> {
  const { file, command, isHere, needs } = languages[guide]
  requireTool(isHere, needs)
  const folder = mkdtempSync(join(tmpdir(), `miniseal-guide-${guide}-`))
  writeFileSync(join(folder, file), programOf(guide))
  // As `npm install path/to/miniseal` would install it.
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(join(root, 'service'), join(folder, 'node_modules', 'miniseal'))
  symlinkSync(join(root, 'packages/verify'), join(folder, 'node_modules', 'miniseal-verify'))
  const [name, ...args] = command
  const child = spawn(name === 'python3' ? (python ?? name) : name, args, {
    cwd: folder,
    env: { ...process.env, ...goEnvironment, MINISEAL_ORIGIN: origin, PORT: `${port}` },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group: `go run` starts a child.
    detached: true,
  })
  let output = ''
  child.stderr.on('data', (chunk) => {
    output += String(chunk)
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const first = await lines.next()
  if (first.value !== `listening on ${port}`)
    throw new Error(`the ${guide} program printed ${String(first.value)}: ${output}`)
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      await end(child)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** No network; a persistent build cache. */
const goEnvironment = {
  GO111MODULE: 'off',
  GOFLAGS: '',
  GOCACHE: join(root, 'node_modules/.cache/miniseal-judge/go'),
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null) return
  const ended = once(child, 'exit')
  process.kill(-child.pid, 'SIGTERM')
  await ended
}
