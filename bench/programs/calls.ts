/** Calls between the benchmark and its programs, over the channel that `fork` opens: one side asks, the other answers. */

/** What one program answers: each function takes one argument that can be sent, and resolves with such a value. */
// biome-ignore lint/suspicious/noExplicitAny: any argument, as each program declares it
export type Calls = Readonly<Record<string, (argument: any) => Promise<unknown>>>

export interface Call {
  readonly id: number
  readonly name: string
  readonly argument: unknown
}

export type CallAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string }

/** What every program can be asked. */
export interface Usage {
  /** Seconds of the processor since its start, all threads. */
  readonly cpu: number
  /** Bytes. */
  readonly rss: number
}

/**
 * Answers calls until the parent goes; then this process ends too.
 *
 * @param stop what is to be done before
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
      tell({ id, value: await call(argument) })
    } catch (error) {
      tell({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
  process.on('disconnect', () => stop().finally(() => process.exit(0)))
  // A terminal sends it to the whole process group; the parent decides when to end.
  process.on('SIGINT', () => {})
  // The parent may be gone by now.
  if (process.connected) tell({ id: 0, value: 'ready' })
  else process.exit(0)
}

function tell(answer: CallAnswer): void {
  process.send?.(answer)
}
