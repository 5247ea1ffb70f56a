/** Entry point of `npx miniseal`. */
import { once } from 'node:events'
import { runCommandLine } from './dispatch.ts'

let isServing = false

// `miniseal … | head -1` closes the pipe early, which is not a failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (isServing) return
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})
process.stderr.on('error', () => {})

// Only the owner can read files that commands write.
process.umask(0o077)

process.exitCode = await runCommandLine(
  process.argv.slice(2),
  {
    environment: process.env,
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    drain: async () => {
      if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain')
    },
    isInteractive: process.stderr.isTTY === true,
  },
  () => {
    isServing = true
  },
)

// A stopped server does not wait until its output is read.
if (isServing) setTimeout(() => process.exit(), 1_000).unref()
