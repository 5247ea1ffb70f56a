/** Commands of `miniseal` within the test's own process. */
import type { Command, Terminal } from '../../service/cli/command.ts'
import { keys } from '../../service/cli/commands/keys.ts'
import { loadCommand, runCommandLine } from '../../service/cli/dispatch.ts'

export interface CommandResult {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs a command line within the test's process, with the exit status of a process. Never throws. */
export function runInProcess(
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<CommandResult> {
  return collect(environment, false, (terminal) => runCommandLine(words, terminal))
}

/** Runs the words of a command line behind `miniseal`. @throws UsageError, CommandFailed */
export async function runWords(
  [name = '', ...words]: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<CommandResult> {
  return await runCommand(await loadCommand(name), words, environment)
}

/** @throws what the command throws: UsageError, CommandFailed. */
export async function runCommand(
  command: Pick<Command, 'run'>,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  isInteractive = false,
): Promise<CommandResult> {
  return await collect(environment, isInteractive, (terminal) => command.run(args, terminal))
}

async function collect(
  environment: Readonly<Record<string, string>>,
  isInteractive: boolean,
  run: (terminal: Terminal) => Promise<number>,
): Promise<CommandResult> {
  let out = ''
  let err = ''
  const code = await run({
    environment,
    isInteractive,
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
  })
  return { code, out, err }
}

/** `miniseal keys`. @throws what the command throws: UsageError, CommandFailed. */
export async function runKeys(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  isInteractive = false,
): Promise<CommandResult> {
  return await runCommand(keys, args, environment, isInteractive)
}
