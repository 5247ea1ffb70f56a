/** Runs Spin: translates and compiles a model, and searches all its states for violated assertions. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { requireTool, runs } from '../../support/required-tool.ts'

requireTool(runs('spin', '-V') && runs('gcc', '--version'), 'spin, gcc and libc6-dev')

export interface Searched {
  readonly states: number
  /** The first violated assertion, as in the model; absent: all hold in every state. */
  readonly violated?: string
  /** Steps that the search never took, as lines of the model. */
  readonly unreached: readonly string[]
}

const run = promisify(execFile)

/** Enough for the largest bounds here; a deeper search fails. */
const depth = 500_000

/**
 * Searches every state of a model.
 *
 * @param defines as in `-D`, for instance `WITHOUT_KEY_CLAIM`, `FRAMES=2`
 * @throws Error when the model does not compile, or when the search is incomplete.
 */
export async function search(model: string, defines: readonly string[] = []): Promise<Searched> {
  const folder = mkdtempSync(join(tmpdir(), 'miniseal-model-'))
  const here = { cwd: folder, timeout: 1_200_000, maxBuffer: 1 << 26 }
  try {
    await run('spin', [...defines.map((define) => `-D${define}`), '-a', model], here)
    await run('gcc', ['-O0', '-DSAFETY', '-DNOFAIR', '-DCOLLAPSE', '-o', 'pan', 'pan.c'], here)
    const { stdout } = await run('./pan', [`-m${depth}`, '-w23'], here)
    return read(stdout)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function read(text: string): Searched {
  const [, states] = /(\d+) states, stored/.exec(text) ?? []
  if (states === undefined || /max search depth too small|out of memory/.test(text)) {
    throw new Error(`the search did not come to its end:\n${text}`)
  }
  const [, errors] = /errors: (\d+)/.exec(text) ?? []
  const [, assertion] = /assertion violated (.*) \(at depth/.exec(text) ?? []
  const unreached = [...text.matchAll(/^\t\S*:(\d+), state \d+, "(.*)"$/gm)]
    .map(([, line, step]) => `${line}: ${step}`)
    .filter((step) => !step.endsWith('-end-'))
  if (errors === '0') return { states: Number(states), unreached }
  return { states: Number(states), violated: assertion?.trim() ?? 'a state without a next one', unreached }
}
