/** The packed `miniseal-client` in an empty folder. */
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bundleGzip } from '../../../miniprogram/build/bundle.ts'
import { checkBundle } from '../../../miniprogram/build/check-bundle.ts'
import { createBareContext } from '../../support/bare-context.ts'
import { installPacked, repository, run } from './packed.ts'

let folder: string
let installed: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'miniseal-package-'))
  installed = await installPacked(folder, 'miniseal-client', 'miniprogram/client')
  const typings = 'node_modules/miniprogram-api-typings'
  await symlink(join(repository, typings), join(folder, typings))
})

afterAll(async () => {
  await rm(folder, { recursive: true })
})

it('the package has a folder for phones that contains nothing but the client and its compression', async () => {
  expect((await readdir(installed)).sort()).toEqual([
    'LICENSE',
    'README.md',
    'miniprogram_dist',
    'node_dist',
    'package.json',
    'types',
  ])
  expect((await readdir(join(installed, 'miniprogram_dist'))).sort()).toEqual([
    'gzip.js',
    'index.js',
    'package.json',
  ])
  const manifest = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'))
  expect(manifest).toMatchObject({ miniprogram: 'miniprogram_dist', main: 'miniprogram_dist/index.js' })
  expect(manifest.dependencies).toBeUndefined()
})

it('the package loads in a bare JavaScript context', async () => {
  const context = createBareContext({ withoutBigInt: true })
  const load = async (file: string) =>
    context.load(await readFile(join(installed, 'miniprogram_dist', file), 'utf8'))
  expect(await load('index.js')).toHaveProperty('createChannel')
  context.define('gzip', await load('gzip.js'))
  const script = `(() => {
    const content = new Uint8Array(5000).fill(65)
    const small = gzip.compression.gzip(content)
    return [small.length < 100, gzip.compression.gunzip(small, 5000).length]
  })()`
  expect(context.run(script)).toEqual([true, 5000])
})

it('the package loads in Node as miniseal-client/node', async () => {
  const script = "import('miniseal-client/node').then((client) => console.log(typeof client.fetchTransport))"
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: folder })
  expect(stdout.trim()).toBe('function')
})

it('the compression of the package is small and uses no global that phones lack', async () => {
  const { code, inputs } = await bundleGzip()
  const { bytes, problems } = await checkBundle({ code, inputs })
  expect(bytes).toBeLessThan(12_288)
  expect(problems).toEqual(['createChannel is not exported'])
})

it.each(['node', 'bundler'])(
  'the types of the package compile with ES2018 and WeChat’s typings (%s)',
  async (resolution) => {
    await writeFile(
      join(folder, 'page.ts'),
      `import { createChannel, ChannelError } from 'miniseal-client'
     import { compression } from 'miniseal-client/gzip'
     const channel = createChannel({ origin: 'https://a.example', appid: 'wx1', roots: [], compression })
     channel.events(0, ({ type, data }) => console.log(type, data))
     channel.request({ method: 'GET', path: '/wallet' }).catch((error: unknown) => {
       if (error instanceof ChannelError) wx.showToast({ title: error.text() })
     })`,
    )
    const language = ['--target', 'ES2018', '--lib', 'ES2018', '--types', 'miniprogram-api-typings']
    const options = ['--noEmit', '--strict', ...language]
    const modules =
      resolution === 'node'
        ? ['--module', 'node16', '--moduleResolution', 'node16']
        : ['--module', 'esnext', '--moduleResolution', 'bundler']
    const done = await run(join(repository, 'node_modules/.bin/tsc'), [...options, ...modules, 'page.ts'], {
      cwd: folder,
    }).catch((error) => error)
    expect(done.stdout).toBe('')
  },
)
