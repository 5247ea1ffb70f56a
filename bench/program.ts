/** Starts the benchmark's programs as child processes, compiled to JavaScript. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import type { CallResult, Calls, Usage } from './programs/calls.ts'

const root = new URL('..', import.meta.url).pathname

/** One file for each program, from the repository's root. */
const compiled = join(root, 'dist', 'bench')

const names = ['service', 'peer', 'sandbox', 'floor', 'generator'] as const

export type ProgramName = (typeof names)[number]

/**
 * Compiles the programs, so that the measured code runs as installed, without a TypeScript loader.
 *
 * @throws Error when esbuild finds one.
 */
export async function compilePrograms(): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: names.map((name) => `./bench/programs/${name}.ts`),
    outdir: compiled,
    bundle: true,
    packages: 'external',
    conditions: ['source'],
    platform: 'node',
    format: 'esm',
    target: 'es2022',
    sourcemap: true,
    logLevel: 'silent',
  })
}

export interface ProgramOptions {
  readonly environment?: Readonly<Record<string, string>>
  /** The file for its output. */
  readonly output: string
  /** Of Node, for example `--cpu-prof`. */
  readonly nodeOptions?: readonly string[]
}

type Asked<C extends Calls, K extends keyof C> = Awaited<ReturnType<C[K]>>

/** A running program; `C` lists its calls. */
export class Program<C extends Calls> {
  readonly #child: ChildProcess
  readonly #output: string
  readonly #waiting = new Map<number, (response: CallResult) => void>()
  #last = 0

  private constructor(child: ChildProcess, output: string) {
    this.#child = child
    this.#output = output
    child.on('message', (response: CallResult) => {
      this.#waiting.get(response.id)?.(response)
      this.#waiting.delete(response.id)
    })
    child.on('exit', (code, signal) => {
      const error = `the program ended (${code ?? signal}): ${readFileSync(this.#output, 'utf8').slice(-2_000)}`
      for (const [id, settle] of this.#waiting) settle({ id, error })
      this.#waiting.clear()
    })
  }

  /** @throws Error with what it printed, when it ends before it is ready. */
  static async start<C extends Calls>(name: ProgramName, options: ProgramOptions): Promise<Program<C>> {
    const output = openSync(options.output, 'a')
    const child = fork(join(compiled, `${name}.js`), {
      cwd: root,
      env: { PATH: process.env.PATH ?? '', ...options.environment },
      execArgv: ['--expose-gc', ...(options.nodeOptions ?? [])],
      stdio: ['ignore', output, output, 'ipc'],
    })
    closeSync(output)
    const program = new Program<C>(child, options.output)
    await program.#response(0)
    return program
  }

  /** @throws Error that the program threw, or that it ended. */
  async call<K extends keyof C & string>(
    name: K,
    ...[argument]: Parameters<C[K]>[0] extends undefined ? [] : [Parameters<C[K]>[0]]
  ): Promise<Asked<C, K>> {
    const id = ++this.#last
    const response = this.#response(id)
    if (this.#child.connected) this.#child.send({ id, name, argument })
    return (await response) as Asked<C, K>
  }

  /** All garbage is collected first. */
  async usage(): Promise<Usage> {
    return (await this.call('usage' as keyof C & string, ...([] as never))) as unknown as Usage
  }

  /** Stops it; SIGKILL after 20 seconds. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    const impatience = setTimeout(() => this.#child.kill('SIGKILL'), 20_000)
    if (this.#child.connected) this.#child.disconnect()
    await ended
    clearTimeout(impatience)
  }

  #response(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#child.exitCode !== null) reject(new Error('the program has ended'))
      this.#waiting.set(id, (response) =>
        'error' in response ? reject(new Error(response.error)) : resolve(response.value),
      )
    })
  }
}
