/**
 * The service in a child process that reports its memory over IPC; needs `--expose-gc`.
 *
 * With `SOAK_LEAK` it leaks 64 KiB every 50 ms, to show a soak that fails.
 */
import { readdirSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { pino } from 'pino'
import { readConfig } from '../../../service/config/config.ts'
import { startService } from '../../../service/server.ts'

/** The memory and handles of the service after a garbage collection. */
export interface Held {
  readonly kind: 'held'
  /** Bytes. */
  readonly rss: number
  readonly heap: number
  /** Open files and connections. */
  readonly handles: number
  /** 99th percentile of the event loop's delay since the last call, in milliseconds. */
  readonly loop: number
}

export interface Started {
  readonly kind: 'started'
  readonly url: string
  readonly roots: readonly string[]
}

export type Instruction =
  | { readonly kind: 'hold' }
  | { readonly kind: 'push'; readonly user: string }
  | { readonly kind: 'stop' }

const delays = monitorEventLoopDelay({ resolution: 10 })
delays.enable()
const service = await startService(readConfig(process.env), pino({ level: 'silent' }))
const leaked: unknown[] = []
if (process.env.SOAK_LEAK !== undefined) {
  setInterval(() => leaked.push(Array.from({ length: 8_192 }, (_, i) => i + Math.random())), 50)
}

function held(): Held {
  const loop = delays.percentile(99) / 1e6 - 10
  globalThis.gc?.()
  delays.reset()
  const { rss, heapUsed } = process.memoryUsage()
  return {
    kind: 'held',
    rss,
    heap: heapUsed,
    handles: readdirSync('/proc/self/fd').length,
    loop: Math.max(0, loop),
  }
}

process.on('message', (instruction: Instruction) => {
  switch (instruction.kind) {
    case 'hold':
      process.send?.(held())
      return
    case 'push':
      void service.push(instruction.user, { type: 'soak', data: { at: Date.now() } }).catch(() => undefined)
      return
    case 'stop':
      void service.stop().then(() => process.exit(0))
  }
})
const started: Started = { kind: 'started', url: service.url, roots: service.roots }
process.send?.(started)
