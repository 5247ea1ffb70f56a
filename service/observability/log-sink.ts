/**
 * Where log lines go: a sink that is full, slow, broken or closed loses lines, and counts them. It never blocks the event
 * loop, never ends the process, and holds a bounded number of bytes.
 */
import { fstatSync, write } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Characters of lines that wait until the sink takes them; later lines are lost. */
const maxWaiting = 1_048_576

/** Characters that are handed over in one write. */
const maxBatch = 65_536

/** Milliseconds after a failed write before the next one. */
const retryAfter = 1_000

/** Hands text over whole. Rejects when it could not; then a part of it may have been written. */
export type PutText = (text: string) => Promise<void>

export interface LogSink {
  /** Takes one line, with its line end. Never blocks, never throws. */
  write(line: string): void
}

let dropped = 0

/** Lines that were lost in this process. */
export function droppedLines(): number {
  return dropped
}

/** The sink of standard error, which is never waited for, whatever it is. */
export function standardErrorSink(): LogSink {
  const kind = fstatSync(2)
  if (!kind.isFIFO() && !kind.isSocket()) return createLogSink(writeToFile)
  // Said to whoever writes, too: without a listener the process would end.
  process.stderr.on('error', () => {})
  return createLogSink(writeToStream)
}

/** @param pause milliseconds after a failed write */
export function createLogSink(put: PutText, pause = retryAfter): LogSink {
  const waiting: string[] = []
  let held = 0
  let lostSince = 0
  let isAtWork = false
  const lose = (lines: number): void => {
    dropped += lines
    lostSince += lines
  }
  const takeBatch = (): readonly string[] => {
    let length = 0
    const end = waiting.findIndex((line) => {
      length += line.length
      return length > maxBatch
    })
    const batch = waiting.splice(0, end === -1 ? waiting.length : Math.max(1, end))
    held -= batch.reduce((sum, line) => sum + line.length, 0)
    return batch
  }
  const work = async (): Promise<void> => {
    isAtWork = true
    let isBroken: boolean = false
    while (waiting.length > 0) {
      const batch = takeBatch()
      const told = lostSince
      // A write that failed may have left a part of a line.
      const before: string = `${isBroken ? '\n' : ''}${told === 0 ? '' : summaryOf(told)}`
      isBroken = await put(before + batch.join('')).then(
        () => false,
        () => true,
      )
      if (isBroken) lose(batch.length)
      else lostSince -= told
      if (isBroken) await sleep(pause, undefined, { ref: false })
    }
    isAtWork = false
  }
  return {
    write(line) {
      if (held + line.length > maxWaiting) {
        lose(1)
        return
      }
      held += line.length
      waiting.push(line)
      if (!isAtWork) void work()
    },
  }
}

/** A line in the form of the others: how many there were before it that are not there. */
function summaryOf(lines: number): string {
  return `${JSON.stringify({ level: 40, time: new Date().toISOString(), event: 'log-lines-lost', lines })}\n`
}

/** A pipe or a socket: the system takes what fits, and says when the rest is gone. */
const writeToStream: PutText = (text) =>
  new Promise((resolve, reject) => {
    process.stderr.write(text, (error) => (error ? reject(error) : resolve()))
  })

/** A file, a device or a terminal: written to in a thread, since a write may take long or fail. */
const writeToFile: PutText = async (text) => {
  let rest = Buffer.from(text)
  while (rest.length > 0) {
    const bytes = rest
    const written = await new Promise<number>((resolve, reject) => {
      write(2, bytes, (error, count) => (error === null ? resolve(count) : reject(error)))
    })
    rest = rest.subarray(written)
  }
}
