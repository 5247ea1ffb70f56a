/** Programs in Go that check what we make with libraries of others; built where Go and golang.org/x/mod are there. */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const modules = '/usr/share/gocode'

/** Debian's `golang-go` and `golang-golang-x-mod-dev`. */
export const hasGo =
  existsSync(join(modules, 'src/golang.org/x/mod/sumdb/tlog')) && spawnSync('go', ['version']).status === 0

/** Builds the program in a folder under `test/`, without any network. @returns its path */
export function buildGo(folder: string): string {
  const program = join(mkdtempSync(join(tmpdir(), 'miniseal-go-')), 'program')
  execFileSync('go', ['build', '-o', program, '.'], {
    cwd: new URL(`../${folder}`, import.meta.url).pathname,
    env: { ...process.env, GO111MODULE: 'off', GOPATH: modules, GOFLAGS: '' },
    timeout: 120_000,
  })
  return program
}
