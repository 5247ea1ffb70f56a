/** Programs that the end-to-end and conformance tests require in addition to Node; `CONTRIBUTING.md` lists them all. */
import { spawnSync } from 'node:child_process'

/** @param packages as Debian names them @throws Error unless the tool was found: a test that does not run proves nothing. */
export function requireTool(isFound: boolean, packages: string): void {
  if (!isFound) throw new Error(`this test needs ${packages} (see CONTRIBUTING.md)`)
}

/** Whether a program starts and exits with 0. */
export function runs(program: string, ...args: readonly string[]): boolean {
  return spawnSync(program, args).status === 0
}

/** For the independent client. @throws Error without Python 3.9 or newer */
export function requirePython(): void {
  requireTool(
    runs('python3', '-c', 'import sys; sys.exit(sys.version_info < (3, 9))'),
    'python3, 3.9 or newer',
  )
}
