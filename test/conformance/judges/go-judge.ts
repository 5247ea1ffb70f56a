/**
 * An outside judge of the log: `go/judge.go`, built on the spot with Debian's `golang-go golang-golang-x-mod-dev`, from
 * sources on this machine alone.
 */
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
  /** A folder, or the URL under which `checkpoint` and `tile/…` are, for instance `http://127.0.0.1:8787/log`. */
  readonly log: string
  readonly vkey: string
  /** Of an auditor, where bundles ask for one. */
  readonly token?: string
  /** Hash the entries of all bundles, too. */
  readonly withEntries?: boolean
  /** Prove these entries. */
  readonly indexes?: readonly number[]
  /** Prove that the trees of these sizes grew into the present one. */
  readonly olderSizes?: readonly number[]
  /** Checkpoints that the log signed before: whole notes. */
  readonly previous?: readonly string[]
  /** Whole proofs in the form of C2SP tlog-proof, each with the bytes of its entry. */
  readonly proofs?: readonly { readonly proof: string; readonly leaf: Uint8Array }[]
}

/** What the judge has checked and found right. */
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

/** @throws Error with the judge's own words when something does not verify. */
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

/** Built once for each text of the source; two test files may do so at the same time. */
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
