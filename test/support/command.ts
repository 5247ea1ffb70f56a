/** A command within the test's own process. */
import type { Command } from '../../service/cli/command.ts'

export interface CommandResult {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** @throws what the command throws: UsageError, CommandFailed. */
export async function runCommand(
  command: Command,
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
