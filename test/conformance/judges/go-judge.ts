/** Verifies a log with golang.org/x/mod: builds and runs `go/judge.go` with Debian's `golang-go golang-golang-x-mod-dev`. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { requireTool, runs } from '../../support/required-tool.ts'

const goPath = '/usr/share/gocode'
const source = new URL('./go/judge.go', import.meta.url).pathname
const cache = new URL('../../../node_modules/.cache/miniseal-judge', import.meta.url).pathname

requireTool(
  existsSync(join(goPath, 'src/golang.org/x/mod/sumdb/tlog')) && runs('go', 'version'),
  'golang-go and golang-golang-x-mod-dev',
)

export interface GoQuestion {
  /** The folder or URL of `checkpoint` and `tile/…`, for example `http://127.0.0.1:8787/log`. */
  readonly log: string
  readonly vkey: string
  /** An auditor's token, for bundles. */
  readonly token?: string
  /** Verify the entries of all bundles. */
  readonly withEntries?: boolean
  /** Verify inclusion of these entries. */
  readonly indexes?: readonly number[]
  /** Verify consistency with trees of these sizes. */
  readonly olderSizes?: readonly number[]
  /** Earlier signed checkpoints. */
  readonly previous?: readonly string[]
  /** C2SP tlog-proofs, each with its entry. */
  readonly proofs?: readonly { readonly proof: string; readonly leaf: Uint8Array }[]
}

/** The verified parts. */
export interface GoVerdict {
  readonly origin: string
  readonly size: number
  /** base64 */
  readonly root: string
  readonly tiles: number
  readonly entries: number
  readonly inclusion: readonly number[] | null
  readonly consistency: readonly number[] | null
  readonly proofs: number
}

const run = promisify(execFile)

/** @throws Error with the output of `judge.go` when verification fails */
export async function askGo(question: GoQuestion): Promise<GoVerdict> {
  const judge = await buildJudge()
  const folder = mkdtempSync(join(tmpdir(), 'miniseal-judge-'))
  try {
    const { stdout } = await run(judge, argumentsOf(question, folder), { timeout: 120_000 })
    return JSON.parse(stdout) as GoVerdict
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function argumentsOf(question: GoQuestion, folder: string): readonly string[] {
  const file = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }
  const { log, vkey, token, withEntries = false, indexes = [], olderSizes = [] } = question
  return [
    ...['-log', log, '-vkey', vkey],
    ...(token === undefined ? [] : ['-token', token]),
    ...(withEntries ? ['-entries'] : []),
    ...indexes.flatMap((index) => ['-index', `${index}`]),
    ...olderSizes.flatMap((size) => ['-older', `${size}`]),
    ...(question.previous ?? []).flatMap((note, i) => ['-previous', file(`previous-${i}`, note)]),
    ...(question.proofs ?? []).flatMap(({ proof, leaf }, i) => {
      return ['-proof', file(`proof-${i}`, proof), '-leaf', file(`leaf-${i}`, leaf)]
    }),
  ]
}

/** Cached by the hash of the source. Two test files may build it at the same time. */
async function buildJudge(): Promise<string> {
  const judge = join(cache, createHash('sha256').update(readFileSync(source)).digest('hex'))
  if (existsSync(judge)) return judge
  mkdirSync(cache, { recursive: true })
  const built = `${judge}.${process.pid}`
  const environment = {
    ...process.env,
    GO111MODULE: 'off',
    GOPATH: goPath,
    GOFLAGS: '',
    GOCACHE: join(cache, 'go'),
    CGO_ENABLED: '0',
  }
  await run('go', ['build', '-o', built, source], { env: environment, timeout: 300_000 })
  renameSync(built, judge)
  return judge
}
