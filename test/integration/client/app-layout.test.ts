/** The mini program as WeChat's DevTools opens it. */
import { transformSync } from 'esbuild'
import { beforeAll, expect, it } from 'vitest'
import { withSettings } from '../../../miniprogram/build/app.ts'
import { type AppFiles, collectAppFiles, removeForeignFonts } from '../../../miniprogram/build/app-files.ts'
import { writeClient } from '../../../miniprogram/build/bundle.ts'
import { checkApp } from '../../../miniprogram/build/check-app.ts'

let files: AppFiles

beforeAll(async () => {
  await writeClient()
  files = collectAppFiles()
})

it('the built mini program contains the four files of every page, the client and TDesign at the paths that WeChat expects', () => {
  const { pages } = JSON.parse(String(files.get('app.json'))) as { pages: string[] }
  for (const page of pages) {
    for (const ending of ['json', 'wxml', 'wxss', 'js']) {
      const isThere = files.has(`${page}.${ending}`) || (ending === 'wxss' && page.endsWith('receipt'))
      expect(isThere, `${page}.${ending}`).toBe(true)
    }
  }
  for (const path of [
    'app.js',
    'project.config.json',
    'sitemap.json',
    'miniprogram_npm/miniseal-client/index.js',
    'miniprogram_npm/tdesign-miniprogram/button/button.js',
  ]) {
    expect(files.has(path), path).toBe(true)
  }
})

it('the built mini program contains only files that phones load', () => {
  for (const [path, content] of files) {
    expect(path).toMatch(/\.(js|json|wxml|wxss|wxs|svg|png)$/)
    if (!path.endsWith('.js')) continue
    const code = String(content)
    // Where turning a feature off changes nothing, it is not used.
    expect(transformSync(code, { target: 'es2018' }).code, path).toBe(transformSync(code).code)
  }
})

it("the built mini program stays within WeChat's limits and loads nothing from foreign hosts", () => {
  const { problems, bytes } = checkApp(files)
  expect(problems).toEqual([])
  expect(bytes).toBeGreaterThan(100_000)
})

it.each([
  [
    'images/tabs/wallet.png',
    'x'.repeat(41 * 1024),
    'images/tabs/wallet.png exceeds the size limit of a tab bar icon',
  ],
  ['pages/a.wxss', '.a{background:url(https://example.com/a.png)}', 'pages/a.wxss loads from a foreign host'],
  ['pages/a.wxml', '<image src="//example.com/a.png"/>', 'pages/a.wxml loads from a foreign host'],
  ['pages/a.js', 'x'.repeat(2 * 1024 * 1024 + 1), 'exceeds the limit of 2097152 bytes'],
])('the layout check rejects a mini program with %s', (path, content, problem) => {
  expect(checkApp(new Map([[path, content]])).problems.join()).toContain(problem)
})

it('the build removes fonts of foreign hosts from style sheets and keeps everything else', () => {
  const sheet = '@font-face{font-family:t;src:url(https://example.com/t.woff)}.a{color:red}'
  expect(removeForeignFonts(sheet)).toBe('.a{color:red}')
  const own = '@font-face{font-family:t;src:url(t.woff)}'
  expect(removeForeignFonts(own)).toBe(own)
})

it('the build uses the settings of another service', () => {
  const settings = { origin: 'https://pay.example.com', appid: 'wx1111111111111111', roots: ['AAAA'] }
  const changed = withSettings(files, settings)
  expect(String(changed.get('settings.js'))).toContain(JSON.stringify(settings.origin))
  expect(JSON.parse(String(changed.get('project.config.json')))).toMatchObject({ appid: settings.appid })
  expect(String(files.get('settings.js'))).not.toContain(settings.origin)
})
