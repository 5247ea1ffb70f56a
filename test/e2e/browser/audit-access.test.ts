/** The auditors' pages for everybody: with the keyboard alone, in both themes, by the rules of WCAG. */
import axe from 'axe-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeTraffic, newAuditor } from '../../support/audit-traffic.ts'
import type { AuditorPage } from './auditor-page.ts'
import { openAuditPage, signIn } from './auditor-page.ts'
import { openBrowser, useBrowser } from './browser.ts'

describe('the auditors’ pages, for everybody', () => {
  const desktop = { locale: 'en-US', viewport: { width: 1280, height: 800 } } as const
  const test = useBrowser(desktop)
  let auditor: AuditorPage
  let token: string

  beforeAll(async () => {
    await makeTraffic(test.service)
    token = await newAuditor(test.service, 'wei', 'discloser')
    auditor = await openAuditPage(test.browser, test.service)
  })

  const focused = () => auditor.page.evaluate<string>('document.activeElement.outerHTML.slice(0, 300)')

  it('the audit interface supports keyboard-only use, from signing in to an entry and back', async () => {
    const { page } = auditor
    const press = (key: string): Promise<void> => page.keyboard.press(key)
    await page.locator('#token').waitFor()
    await page.locator('#token').focus()
    await page.keyboard.type(token)
    await press('Enter')
    await page.locator('.notice').waitFor()
    await page.locator('table.entries').waitFor()
    // The skip link is the first stop.
    await page.reload()
    await page.locator('table.entries').waitFor()
    await press('Tab')
    expect(await focused()).toContain('class="skip"')
    await page.locator('.notice .keys button').focus()
    await press('Enter')
    await expect.poll(() => page.locator('.notice').count()).toBe(0)
    await press('/')
    expect(await focused()).toContain('id="find"')
    await page.keyboard.type('/wallet/*')
    await press('Enter')
    await page.locator('.chip').waitFor()
    await press('Escape')
    // The rows of the search before are gone, and the focus will not go with them.
    await expect.poll(() => page.locator('tr', { hasText: '/sessions' }).count()).toBe(0)
    await expect.poll(() => page.locator('.stale').count()).toBe(0)
    await press('j')
    await press('j')
    await press('k')
    const first = await page.locator('a.row-link').first().getAttribute('href')
    expect(await focused()).toContain(first ?? '?')
    await press('Enter')
    await page.locator('.verdict.passed').waitFor()
    expect(new URL(page.url()).pathname).toBe(first)
    await press('Escape')
    await page.locator('.chip').waitFor()
    expect(new URL(page.url()).search).toBe('?path=%2Fwallet%2F*')
    await press('?')
    await page.getByRole('dialog').getByText('next and previous row').waitFor()
    await press('Escape')
    await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
    await press('3')
    await page.locator('[data-consistency]').waitFor()
    await press('2')
    await page.getByRole('heading', { name: 'Top refusals' }).waitFor()
  })

  it('the audit interface shows the focus', async () => {
    const { page } = auditor
    await page.goto(`${test.service.origin}/audit`)
    await page.locator('table.entries').waitFor()
    await page.keyboard.press('j')
    const outline = await page.evaluate<string>('getComputedStyle(document.activeElement).outlineStyle')
    expect(outline).toBe('solid')
  })

  it.each(['light', 'dark'] as const)(
    'the audit interface has no detectable WCAG 2.2 AA violations (%s)',
    async (colorScheme) => {
      const { page } = auditor
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      const firstEntry = await entryPath(auditor)
      for (const path of [
        '/audit',
        '/audit?path=/nowhere',
        '/audit?from=2026-01-01',
        '/audit/overview',
        '/audit/integrity',
        firstEntry,
      ]) {
        await page.goto(`${test.service.origin}${path}`)
        await page.locator('main h1').first().waitFor({ state: 'attached' })
        await page.waitForLoadState('networkidle')
        expect(await violations(auditor), path).toEqual([])
      }
    },
  )

  it('the audit interface has no violations on the sign-in page and no CSP violations', async () => {
    const other = await openBrowser(desktop)
    try {
      const visitor = await openAuditPage(other, test.service)
      await visitor.page.locator('#token').waitFor()
      expect(await violations(visitor)).toEqual([])
      await signIn(visitor, token)
      await visitor.page.locator('table.entries').waitFor()
      expect(visitor.errors).toEqual([])
    } finally {
      await other.close()
    }
    expect(auditor.errors).toEqual([])
  })
})

async function entryPath({ page }: AuditorPage): Promise<string> {
  await page.goto(`${new URL(page.url()).origin}/audit?result=ok&path=/wallet/transfers`)
  return (await page.locator('a.row-link').first().getAttribute('href')) ?? ''
}

/** What axe-core finds that is serious or critical: the rule and where. */
async function violations({ page }: AuditorPage): Promise<readonly string[]> {
  await page.evaluate(axe.source)
  return await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(options: unknown): Promise<{ violations: Found[] }> }
    }
    interface Found {
      readonly id: string
      readonly impact: string
      readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[]
    }
    const { violations } = await axe.run({
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'],
    })
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary}`)
  })
}
