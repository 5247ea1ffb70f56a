/** Finds and runs the command of a command line. Each file in `commands/` defines the commands of one first word. */
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assertKnownVariables } from '../config/environment.ts'
import { packageRoot } from '../package-root.ts'
import type { Command, CommandGroup, ExitCode, Terminal } from './command.ts'
import { defineGroup, suggestion, UsageError } from './command.ts'

const folder = fileURLToPath(new URL('commands/', import.meta.url))

/** `.ts` from source, `.js` when compiled. */
const extension = extname(fileURLToPath(import.meta.url))

/** The words of commands: names of files, and of folders with one file for each second word. */
function wordsIn(path: string): readonly string[] {
  return readdirSync(path, { withFileTypes: true })
    .filter(
      (entry) => entry.isDirectory() || (entry.name.endsWith(extension) && !entry.name.endsWith('.d.ts')),
    )
    .map((entry) => (entry.isDirectory() ? entry.name : entry.name.slice(0, -extension.length)))
    .sort()
}

/** Loads the command or group of one first word. */
export async function loadCommand(word: string): Promise<Command | CommandGroup> {
  const isFolder = readdirSync(folder, { withFileTypes: true }).some(
    (entry) => entry.isDirectory() && entry.name === word,
  )
  if (!isFolder) return await importCommand(word)
  const commands = await Promise.all(
    wordsIn(join(folder, word)).map(async (name) => (await importCommand(`${word}/${name}`)) as Command),
  )
  return defineGroup(word, commands)
}

async function importCommand(path: string): Promise<Command | CommandGroup> {
  const module = (await import(new URL(`commands/${path}${extension}`, import.meta.url).href)) as Readonly<
    Record<string, unknown>
  >
  const name = path.replace('/', ' ')
  const found = Object.values(module).find(
    (value) =>
      typeof value === 'object' && value !== null && 'run' in value && 'name' in value && value.name === name,
  )
  if (found === undefined) throw new Error(`commands/${path} does not define the command ${path}`)
  return found as Command | CommandGroup
}

/** All commands, sorted by first word. */
export async function loadCommands(): Promise<readonly Command[]> {
  const loaded = await Promise.all(wordsIn(folder).map(loadCommand))
  return loaded.flatMap((found) => ('commands' in found ? Object.values(found.commands) : [found]))
}

/**
 * Runs one command line. Never throws.
 *
 * @param onServer called before a command that keeps running
 */
export async function runCommandLine(
  words: readonly string[],
  terminal: Terminal,
  onServer: () => void = () => {},
): Promise<ExitCode> {
  const [first, ...rest] = words[0] === 'help' ? [...words.slice(1), '--help'] : words
  if (first === '--version') return printVersion(terminal)
  if (first === undefined || isHelp(first)) return await printOverview(first === undefined ? 2 : 0, terminal)
  if (!wordsIn(folder).includes(first)) return unknownCommand(first, wordsIn(folder), terminal)
  const found = await loadCommand(first)
  if (!('commands' in found)) return await runCommand(found, rest, terminal, onServer)
  const [second, ...others] = rest
  const command =
    second !== undefined && Object.hasOwn(found.commands, second) ? found.commands[second] : undefined
  if (command !== undefined) return await runCommand(command, others, terminal, onServer)
  if (second === undefined || isHelp(second)) {
    terminal.out(overview(Object.values(found.commands)))
    return second === undefined ? 2 : 0
  }
  return unknownCommand(
    `${first} ${second}`,
    Object.values(found.commands).map(({ name }) => name),
    terminal,
  )
}

function isHelp(word: string): boolean {
  return word === '--help' || word === '-h'
}

function printVersion(terminal: Terminal): ExitCode {
  const manifest = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as {
    version: string
  }
  terminal.out(`miniseal ${manifest.version}\n`)
  return 0
}

async function printOverview(code: ExitCode, terminal: Terminal): Promise<ExitCode> {
  terminal.out(
    `Signed, encrypted and replay-protected requests from mini programs.\n\n${overview(await loadCommands())}`,
  )
  return code
}

function overview(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length)) + 2
  const rows = commands.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`)
  return [
    'usage: miniseal COMMAND [options]',
    '',
    ...rows,
    '',
    "Run 'miniseal COMMAND --help' for the usage of a command.",
    'Exit status: 0 success, 1 check or request failed, 2 usage error, 3 command could not run.',
    '',
  ].join('\n')
}

function unknownCommand(name: string, candidates: readonly string[], terminal: Terminal): ExitCode {
  terminal.err(
    `miniseal: unknown command ${JSON.stringify(name)}${suggestion(name, candidates)}\nRun 'miniseal --help' for a list of commands.\n`,
  )
  return 2
}

async function runCommand(
  command: Command,
  words: readonly string[],
  terminal: Terminal,
  onServer: () => void,
): Promise<ExitCode> {
  if (words.some(isHelp)) {
    terminal.out(command.usage)
    return 0
  }
  try {
    assertKnownVariables(terminal.environment)
    if (command.isServer) onServer()
    return await command.run(words, terminal)
  } catch (error) {
    return reportFailure(command.name, error, terminal)
  }
}

function reportFailure(name: string, error: unknown, terminal: Terminal): ExitCode {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof UsageError) {
    terminal.err(`miniseal ${name}: ${message}\nRun 'miniseal ${name} --help' for usage.\n`)
    return 2
  }
  const isPortTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
  terminal.err(
    isPortTaken
      ? `miniseal ${name}: the port is in use; choose another with PORT or --port\n`
      : `miniseal ${name}: ${message}\n`,
  )
  return 3
}
