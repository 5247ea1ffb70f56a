/**
 * The destination of log lines. A sink that is full, slow, broken or closed drops and counts lines. It never blocks the
 * event loop, never ends the process, and buffers a bounded number of characters.
 */
import { fstatSync, write } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Buffered characters above which lines are dropped. */
const maxBuffered = 1_048_576

/** Characters per write. */
const maxBatch = 65_536

/** Milliseconds after a failed write. */
const defaultRetryDelay = 1_000

/** Writes text completely. Rejects on failure, possibly after a partial write. */
export type WriteText = (text: string) => Promise<void>

export interface LogSink {
  /** Takes one line with its line feed. Never blocks, never throws. */
  write(line: string): void
}

let dropped = 0

/** Lines dropped by this process. */
export function droppedLines(): number {
  return dropped
}

/** Standard error: a file, terminal, pipe or socket, written without blocking. */
export function standardErrorSink(): LogSink {
  const kind = fstatSync(2)
  if (!kind.isFIFO() && !kind.isSocket()) return createLogSink(writeToFile)
  // The write callback receives the error too; without a listener it would end the process.
  process.stderr.on('error', () => {})
  return createLogSink(writeToStream)
}

export function createLogSink(writeText: WriteText, retryDelay = defaultRetryDelay): LogSink {
  const buffer: string[] = []
  let buffered = 0
  let droppedSince = 0
  let isWriting = false
  const drop = (lines: number): void => {
    dropped += lines
    droppedSince += lines
  }
  const takeBatch = (): readonly string[] => {
    let length = 0
    const end = buffer.findIndex((line) => {
      length += line.length
      return length > maxBatch
    })
    const batch = buffer.splice(0, end === -1 ? buffer.length : Math.max(1, end))
    buffered -= batch.reduce((sum, line) => sum + line.length, 0)
    return batch
  }
  const drain = async (): Promise<void> => {
    isWriting = true
    let hasFailed: boolean = false
    while (buffer.length > 0) {
      const batch = takeBatch()
      const reported = droppedSince
      // A failed write may have left an incomplete line.
      const prefix: string = `${hasFailed ? '\n' : ''}${reported === 0 ? '' : droppedLine(reported)}`
      hasFailed = await writeText(prefix + batch.join('')).then(
        () => false,
        () => true,
      )
      if (hasFailed) drop(batch.length)
      else droppedSince -= reported
      if (hasFailed) await sleep(retryDelay, undefined, { ref: false })
    }
    isWriting = false
  }
  return {
    write(line) {
      if (buffered + line.length > maxBuffered) {
        drop(1)
        return
      }
      buffered += line.length
      buffer.push(line)
      if (!isWriting) void drain()
    },
  }
}

/** A log line with the number of dropped lines before it. */
function droppedLine(lines: number): string {
  return `${JSON.stringify({ level: 40, time: new Date().toISOString(), event: 'log.dropped', lines })}\n`
}

const writeToStream: WriteText = (text) =>
  new Promise((resolve, reject) => {
    process.stderr.write(text, (error) => (error ? reject(error) : resolve()))
  })

/** Files, devices and terminals: written by the thread pool, since a write may block or fail. */
const writeToFile: WriteText = async (text) => {
  let rest = Buffer.from(text)
  while (rest.length > 0) {
    const bytes = rest
    const written = await new Promise<number>((resolve, reject) => {
      write(2, bytes, (error, count) => (error === null ? resolve(count) : reject(error)))
    })
    rest = rest.subarray(written)
  }
}
