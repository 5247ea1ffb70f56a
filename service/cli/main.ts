/** The entry point of `npx miniseal`: connects the process to the commands. */
import { once } from 'node:events'
import { runCommandLine } from './dispatch.ts'

let isServing = false

// `miniseal … | head -1` closes the pipe early: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (isServing) return
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})
process.stderr.on('error', () => {})

// Files that commands write are readable by their owner only.
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

// A stopped server does not wait for a blocked reader of its output.
if (isServing) setTimeout(() => process.exit(), 1_000).unref()
