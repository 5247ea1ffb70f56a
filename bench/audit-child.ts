/** Runs `audit verify` in a child process and prints its time and peak memory as the last line of standard error. */
import { verify } from '../service/cli/commands/audit/verify.ts'

const startedAt = performance.now()
const code = await verify.run(process.argv.slice(2), {
  environment: process.env,
  out: (text) => process.stdout.write(text),
  err: () => {},
  isInteractive: false,
})
const seconds = (performance.now() - startedAt) / 1000
const { user, system } = process.cpuUsage()
const used = { seconds, cpu: (user + system) / 1e6, megabytes: process.resourceUsage().maxRSS / 1024 }
process.stderr.write(`${JSON.stringify(used)}\n`)
process.exitCode = code
