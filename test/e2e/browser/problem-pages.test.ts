/** The problem code pages: languages and accessibility. */
import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { useBrowser } from './browser.ts'

describe('the pages of problem codes', () => {
  const test = useBrowser()
  let page: Page

  beforeAll(async () => {
    page = await test.browser.newPage()
  })

  it('a problem page uses the language of the browser and links to the other language and the list', async () => {
    await page.goto(`${test.service.origin}/docs/problems/replayed`)
    expect(await page.locator('h1').textContent()).toBe('请求已收到过')
    await page.getByRole('link', { name: 'English' }).click()
    await page.getByRole('heading', { name: 'The request was received before' }).waitFor()
    await page.getByRole('link', { name: 'All problem codes' }).click()
    await page.getByRole('link', { name: 'window_invalid' }).click()
    expect(new URL(page.url()).pathname).toBe('/docs/problems/window_invalid')
    // The CSP allows the style by its hash.
    expect(await page.evaluate<string>('getComputedStyle(document.body).fontFamily')).toContain('system-ui')
  })

  it.each([
    [390, 'light'],
    [1280, 'dark'],
  ] as const)('problem pages have no WCAG 2.2 AA violations, %i px wide, %s', async (width, colorScheme) => {
    await page.setViewportSize({ width, height: 800 })
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    for (const path of ['/docs/problems', '/docs/problems/step_up_required', '/docs/problems/none']) {
      await page.goto(`${test.service.origin}${path}`)
      await page.evaluate(axe.source)
      const found = await page.evaluate<string[]>(
        `axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then((result) => result.violations.map(({ id }) => id))`,
      )
      expect([path, found]).toEqual([path, []])
      const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')
      expect([path, overflow]).toEqual([path, 0])
    }
  })
})
