/** `miniseal-verify` and `miniseal-protocol` as `npm pack` makes them, in a folder without the frameworks. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'

const run = promisify(execFile)
const repository = new URL('../../..', import.meta.url).pathname
let folder: string

beforeAll(async () => {
  await run(join(repository, 'node_modules/.bin/tsc'), ['-b', 'packages/verify'], { cwd: repository })
  folder = await mkdtemp(join(tmpdir(), 'miniseal-verify-'))
  for (const [name, workspace] of [
    ['miniseal-verify', 'packages/verify'],
    ['miniseal-protocol', 'crypto'],
  ] as const)
    await install(name, workspace)
  for (const dependency of ['@noble', '@stablelib', 'tweetnacl'])
    await symlink(join(repository, 'node_modules', dependency), join(folder, 'node_modules', dependency))
})

afterAll(async () => {
  await rm(folder, { recursive: true })
})

async function install(name: string, workspace: string): Promise<void> {
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], {
    cwd: join(repository, workspace),
  })
  const [{ filename }] = JSON.parse(stdout)
  const target = join(folder, 'node_modules', name)
  await mkdir(target, { recursive: true })
  await run('tar', ['-xzf', join(folder, filename), '--strip-components=1', '-C', target])
}

async function evaluate(source: string): Promise<string> {
  const file = join(folder, 'program.mjs')
  await writeFile(file, source)
  return (await run(process.execPath, [file], { cwd: folder })).stdout.trim()
}

it('the tarball of miniseal-verify contains dist, README and LICENSE only, and depends on miniseal-protocol alone', async () => {
  const installed = join(folder, 'node_modules/miniseal-verify')
  expect((await readdir(installed)).sort()).toEqual(['LICENSE', 'README.md', 'dist', 'package.json'])
  const { dependencies, exports } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'))
  expect(Object.keys(dependencies)).toEqual(['miniseal-protocol'])
  const files = await readdir(join(installed, 'dist'), { recursive: true })
  for (const [name, entry] of Object.entries<{ types: string; default: string }>(exports)) {
    if (name === './package.json') continue
    expect(files).toContain(entry.types.replace('./dist/', ''))
    expect(files).toContain(entry.default.replace('./dist/', ''))
  }
})

it('an installed miniseal-verify refuses an unsigned request, and its adapters load without their framework', async () => {
  const printed = await evaluate(`
    import { createVerifier } from 'miniseal-verify'
    import 'miniseal-verify/express'
    import 'miniseal-verify/fastify'
    import 'miniseal-verify/hono'
    import 'miniseal-verify/koa'
    import 'miniseal-verify/explain'
    const verify = createVerifier({ origin: 'https://pay.example.com' })
    const request = { method: 'GET', url: '/', headers: {} }
    console.log(await verify(request, new Uint8Array(0)).catch(({ code }) => code))
  `)
  expect(printed).toBe('signature_missing')
})
