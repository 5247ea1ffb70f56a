/** A progress bar on a terminal; nothing in a pipe. */
import type { Terminal } from './command.ts'

const width = 30

export interface Progress {
  /** Draws `done` of `total`. */
  show(done: number, total: number): void
  /** Takes the bar away. */
  clear(): void
}

/** On standard error, so that it never gets into what a command prints. */
export function startProgress(terminal: Terminal, label: string): Progress {
  let drawn = 0
  const draw = (line: string): void => {
    if (!terminal.isInteractive) return
    terminal.err(`\r${line.padEnd(drawn)}`)
    drawn = line.length
  }
  return {
    show(done, total) {
      const part = total === 0 ? 1 : done / total
      const bar = '█'.repeat(Math.round(part * width)).padEnd(width, '░')
      draw(`${label} ${bar} ${Math.floor(part * 100)}%  ${done} of ${total}`)
    },
    clear() {
      draw('')
      draw('')
    },
  }
}
