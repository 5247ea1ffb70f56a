/** The page `/demo/` with two phones. */
import type { FrameLocator, Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { useBrowser } from './browser.ts'

describe('the demo page', () => {
  const test = useBrowser({ viewport: { width: 1280, height: 1000 } })
  let page: Page
  const problems: string[] = []

  beforeAll(async () => {
    page = await test.browser.newPage()
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text())
    })
    page.on('request', (request) => {
      if (!request.url().startsWith(test.service.origin) && !request.url().startsWith('data:'))
        problems.push(request.url())
    })
    await page.goto(`${test.service.origin}/demo/`)
  })

  const phone = (which: 'A' | 'B'): FrameLocator => page.frameLocator(`iframe[title="Phone ${which}"]`)

  it('the demo page gives each of the two phones its own user', async () => {
    for (const which of ['A', 'B'] as const) {
      const input = phone(which).locator('[id$="--name"] input')
      await input.click()
      await phone(which).locator('.offer').click()
      await phone(which).locator('[id$="--save-name"]').click()
    }
    await expect.poll(() => phone('A').locator('[id$="--account"]').textContent()).toMatch(/^小明\d\d$/)
    await expect.poll(() => phone('B').locator('[id$="--account"]').textContent()).toMatch(/^小红\d\d$/)
  })

  it('the demo page shows a transfer from one phone on the other', async () => {
    await phone('A').locator('[id$="--transfer"]').click()
    await phone('A').locator('[id*="--contact-小红"]').click()
    await phone('A').locator('[id$="--amount"] input').fill('88.88')
    await phone('A').locator('[id$="--next"]').click()
    await phone('A').locator('[id$="--confirm"]').click()
    await phone('A').locator('[id$="--outcome-done"]').waitFor()
    const balance = phone('B').locator('[id$="--balance"] [aria-label]')
    await expect.poll(() => balance.getAttribute('aria-label')).toBe('10,088.88 CNY')
  })

  it('the demo page links to the audit pages', async () => {
    expect(await page.locator('a').getAttribute('href')).toBe('/audit')
  })

  it('the demo page loads without CSP violations or requests to other hosts', () => {
    expect(problems).toEqual([])
  })

  it('the demo page shows one phone on a narrow screen', async () => {
    await page.setViewportSize({ width: 390, height: 844 })
    await expect.poll(() => page.locator('iframe:visible').count()).toBe(1)
  })
})
