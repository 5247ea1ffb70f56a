/** `miniseal keys` within the test's own process. */
import { keys } from '../../service/cli/keys.ts'

export interface Said {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** @throws what the command throws: UsageError, CommandFailed. */
export async function runKeys(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  isInteractive = false,
): Promise<Said> {
  let out = ''
  let err = ''
  const code = await keys.run(args, {
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
