import { startTestService } from '/work/wt/pages/test/support/service.ts'
import { buildAuditPages, isSettled, makeTraffic, newAuditor, openDesk, signIn } from '/work/wt/pages/test/browser/audit-desk.ts'
import { startBrowser } from '/work/wt/pages/test/browser/browser.ts'
await buildAuditPages()
const service = await startTestService()
try {
  const traffic = await makeTraffic(service, 12)
  const token = await newAuditor(service, 'wei', 'discloser')
  const browser = await startBrowser({ locale: 'en-US', viewport: { width: 1280, height: 800 } })
  try {
    const desk = await openDesk(browser, service)
    const { page } = desk
    await page.locator('#token').waitFor()
    await page.screenshot({ path: '/tmp/p-signin.png' })
    await page.locator('#token').fill(token)
    await page.locator('.sign-in button').click()
    await page.locator('table.entries').waitFor()
    await page.waitForTimeout(500)
    await page.screenshot({ path: '/tmp/p-first.png' })
    await page.locator('.notice .keys button').first().click()
    await page.waitForTimeout(300)
    await page.screenshot({ path: '/tmp/p-requests.png' })
    await isSettled(service)
    await page.locator('tr', { hasText: '/wallet/transfers' }).locator('a.row-link').nth(2).click()
    await page.locator('.verdict:not(:empty)').waitFor()
    await page.waitForTimeout(800)
    await page.screenshot({ path: '/tmp/p-entry.png', fullPage: true })
    await page.setViewportSize({ width: 1920, height: 1080 })
    await page.screenshot({ path: '/tmp/p-entry-wide.png', fullPage: true })
    await page.goto(service.origin + '/audit/integrity'); await page.waitForTimeout(1200)
    await page.screenshot({ path: '/tmp/p-integrity-wide.png' })
    await page.setViewportSize({ width: 1280, height: 800 })
    await page.goto(service.origin + '/audit/overview'); await page.waitForTimeout(800)
    await page.screenshot({ path: '/tmp/p-overview.png', fullPage: true })
    console.log(traffic, desk.errors)
  } finally { await browser.close() }
} finally { await service.close() }
