/** The packed `miniseal-verify` and `miniseal-protocol` in a folder without the frameworks. */
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { installPacked, repository, run } from './packed.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'miniseal-verify-'))
  await installPacked(folder, 'miniseal-verify', 'packages/verify')
  await installPacked(folder, 'miniseal-protocol', 'crypto')
  for (const dependency of ['@noble', '@stablelib', 'tweetnacl'])
    await symlink(join(repository, 'node_modules', dependency), join(folder, 'node_modules', dependency))
})

afterAll(async () => {
  await rm(folder, { recursive: true })
})

async function evaluate(source: string): Promise<string> {
  const file = join(folder, 'program.mjs')
  await writeFile(file, source)
  return (await run(process.execPath, [file], { cwd: folder })).stdout.trim()
}

it('the tarball of miniseal-verify contains dist, README and LICENSE only and depends on miniseal-protocol only', async () => {
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
