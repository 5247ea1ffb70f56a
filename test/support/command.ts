/** Commands of `miniseal` within the test's own process. */
import type { Command } from '../../service/cli/command.ts'
import { keys } from '../../service/cli/commands/keys.ts'
import { loadCommand } from '../../service/cli/dispatch.ts'

export interface CommandResult {
  readonly code: number
  readonly out: string
  readonly err: string
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
  let out = ''
  let err = ''
  const code = await command.run(args, {
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
