/** `miniseal keys` within the test's own process. */
import { keys } from '../../service/cli/commands/keys.ts'
import type { CommandResult } from './command.ts'
import { runCommand } from './command.ts'

/** @throws what the command throws: UsageError, CommandFailed. */
export async function runKeys(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  isInteractive = false,
): Promise<CommandResult> {
  return await runCommand(keys, args, environment, isInteractive)
}
