/** What every command shares: how it is called, how it ends, what it prints. */

/** The ends of a command: 0 yes, 1 the check failed, 2 called wrongly, 3 could not be done. */
export type ExitCode = 0 | 1 | 2 | 3

/** Where a command reads and writes; tests pass their own. */
export interface Terminal {
  readonly environment: Readonly<Record<string, string | undefined>>
  out(text: string): void
  err(text: string): void
  /** Waits until what was printed has been taken, where much is printed to somebody slow. */
  readonly drain?: () => Promise<void>
  /** Whether a person looks at standard error, so that progress is worth showing. */
  readonly isInteractive: boolean
}

export interface Command {
  /** One line for the list of commands. */
  readonly summary: string
  /** What `--help` prints. */
  readonly usage: string
  /** It goes on when nobody takes what it prints. */
  readonly isServer?: true
  run(args: readonly string[], terminal: Terminal): Promise<ExitCode>
}

/** Commands that belong together, called as `miniseal GROUP NAME`. */
export interface CommandGroup {
  /** One line for the list of commands. */
  readonly summary: string
  readonly commands: Readonly<Record<string, Command>>
}

/** Called wrongly; the message says what was expected. */
export class UsageError extends Error {}

/** Could not be done, for a reason that the operator can mend. */
export class CommandFailed extends Error {}

/** Whether a word is the name of a key or device: it may begin with a hyphen, or two, and is no option for that. */
export function isThumbprint(word: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(word)
}
