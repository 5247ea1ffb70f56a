/** Progress bars and signals. */
import type { Terminal } from './command.ts'

const barWidth = 30

export interface Progress {
  /** Draws `done` of `total`. */
  show(done: number, total: number): void
  /** Removes the bar. */
  clear(): void
}

/** A progress bar on standard error, if that is a terminal. */
export function startProgress(terminal: Terminal, label: string): Progress {
  const draw = drawLine(terminal)
  return {
    show(done, total) {
      const part = total === 0 ? 1 : done / total
      const bar = '█'.repeat(Math.round(part * barWidth)).padEnd(barWidth, '░')
      draw(`${label} ${bar} ${Math.floor(part * 100)}%  ${done} of ${total}`)
    },
    clear: () => draw(''),
  }
}

/** Replaces the current line of standard error, if that is a terminal; an empty text removes it. */
export function drawLine(terminal: Terminal): (line: string) => void {
  let drawn = 0
  return (line) => {
    if (!terminal.isInteractive) return
    terminal.err(`\r${line.padEnd(drawn)}`)
    drawn = line.length
    if (line === '') terminal.err('\r')
  }
}

/** Resolves on the first SIGTERM or SIGINT; a second one ends the process immediately. */
export function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    let signals = 0
    const onSignal = (): void => {
      signals += 1
      if (signals > 1) process.exit(1)
      resolve()
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })
}
