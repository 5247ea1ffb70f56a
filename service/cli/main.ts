/** `npx miniseal …` */
import { once } from 'node:events'
import { assertKnownVariables, ConfigError } from '../config/environment.ts'
import type { Command, CommandGroup, ExitCode, Terminal } from './command.ts'
import { CommandFailed, UsageError } from './command.ts'
import { commands } from './commands.ts'

/** The table of the commands at one level; `group` is empty at the first. */
function overview(table: Readonly<Record<string, Command | CommandGroup>>, group: string): string {
  const lines = Object.entries(table).map(([name, { summary }]) => `  ${name.padEnd(16)}${summary}`)
  const called = `miniseal ${group}${group === '' ? '' : ' '}`
  return `usage: ${called}COMMAND [options]\n\n${lines.join('\n')}\n\nmore: ${called}COMMAND --help\n`
}

const purpose = 'miniseal: signed, sealed, replay-proof requests from mini programs\n\n'

/** Runs one command line and gives its exit code. Never throws. */
async function main(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const [name, ...rest] = args
  const found = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined
  if (name === undefined || found === undefined) {
    return choose(name, `${purpose}${overview(commands, '')}`, terminal)
  }
  if (!('commands' in found)) return await runCommand(name, found, rest, terminal)
  const [next, ...more] = rest
  const inner = next !== undefined && Object.hasOwn(found.commands, next) ? found.commands[next] : undefined
  if (inner === undefined) return choose(next, overview(found.commands, name), terminal)
  return await runCommand(`${name} ${next}`, inner, more, terminal)
}

/** What to say where no command is named. */
function choose(name: string | undefined, choices: string, terminal: Terminal): ExitCode {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    terminal.out(choices)
    return name === undefined ? 2 : 0
  }
  terminal.err(`miniseal: there is no command ${JSON.stringify(name)}\n\n${choices}`)
  return 2
}

async function runCommand(
  name: string,
  command: Command,
  rest: readonly string[],
  terminal: Terminal,
): Promise<ExitCode> {
  if (rest.includes('--help') || rest.includes('-h')) {
    terminal.out(command.usage)
    return 0
  }
  try {
    assertKnownVariables(terminal.environment)
    isServing = command.isServer === true
    return await command.run(rest, terminal)
  } catch (error) {
    return failWith(name, command, error, terminal)
  }
}

function failWith(name: string, command: Command, error: unknown, terminal: Terminal): ExitCode {
  const isUsage = error instanceof UsageError || hasCode(error, /^ERR_PARSE_ARGS/)
  if (isUsage) {
    terminal.err(`miniseal ${name}: ${messageOf(error)}\n\n${command.usage}`)
    return 2
  }
  if (error instanceof ConfigError || error instanceof CommandFailed) {
    terminal.err(`miniseal ${name}: ${error.message}\n`)
    return 3
  }
  if (hasCode(error, /^EADDRINUSE$/)) {
    terminal.err(`miniseal ${name}: the port is taken: set PORT to another, or end what listens there\n`)
    return 3
  }
  terminal.err(`miniseal ${name}: ${messageOf(error)}\n`)
  return 3
}

function hasCode(error: unknown, pattern: RegExp): boolean {
  return (
    error instanceof Error && 'code' in error && typeof error.code === 'string' && pattern.test(error.code)
  )
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Whether the command that runs goes on when nobody takes what it prints. */
let isServing = false

// A reader that has seen enough (`| head -1`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (isServing) return
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})
// Where errors cannot be printed there is nothing to be said about it.
process.stderr.on('error', () => {})

// Whatever is written is for its owner alone.
process.umask(0o077)

process.exitCode = await main(process.argv.slice(2), {
  environment: process.env,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  drain: async () => {
    if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain')
  },
  isInteractive: process.stderr.isTTY === true,
})

// A server that has ended does not wait for somebody to read its last lines.
if (isServing) setTimeout(() => process.exit(), 1_000).unref()
