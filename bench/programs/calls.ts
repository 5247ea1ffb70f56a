/** Calls from the benchmark to its programs over the channel that `fork` opens. */

/** The calls of a program: each has one serialisable argument, and resolves with a serialisable value. */
// biome-ignore lint/suspicious/noExplicitAny: any argument, as each program declares it
export type Calls = Readonly<Record<string, (argument: any) => Promise<unknown>>>

export interface Call {
  readonly id: number
  readonly name: string
  readonly argument: unknown
}

export type CallResult =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string }

/** The result of a call that every program has. */
export interface Usage {
  /** CPU seconds of all threads since its start. */
  readonly cpu: number
  /** Bytes. */
  readonly rss: number
}

/**
 * Serves calls until the parent disconnects, then ends this process.
 *
 * @param stop runs before the end
 */
export function serveCalls(calls: Calls, stop: () => Promise<void> = async () => {}): void {
  const usage = async (): Promise<Usage> => {
    globalThis.gc?.()
    const { user, system } = process.cpuUsage()
    return { cpu: (user + system) / 1e6, rss: process.memoryUsage.rss() }
  }
  const all: Calls = { usage, ...calls }
  process.on('message', async ({ id, name, argument }: Call) => {
    try {
      const call = all[name]
      if (call === undefined) throw new Error(`there is no call ${name}`)
      respond({ id, value: await call(argument) })
    } catch (error) {
      respond({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
  process.on('disconnect', () => stop().finally(() => process.exit(0)))
  // A terminal sends it to the whole process group; the parent decides when to end.
  process.on('SIGINT', () => {})
  // The parent may have ended.
  if (process.connected) respond({ id: 0, value: 'ready' })
  else process.exit(0)
}

function respond(result: CallResult): void {
  process.send?.(result)
}
