/** An auditor's browser page. */
import type { BrowserContext, Page } from 'playwright-core'
import type { TestService } from '../../support/service.ts'

export interface AuditorPage {
  readonly page: Page
  /** Exceptions, console errors (including CSP violations) and requests to other hosts. */
  readonly errors: string[]
}

/** Opens the audit pages without signing in. */
export async function openAuditPage(
  context: BrowserContext,
  service: TestService,
  path = '',
): Promise<AuditorPage> {
  const page = await context.newPage()
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(error.message))
  page.on('console', (message) => {
    // 401 is expected before signing in.
    if (message.type() === 'error' && !message.text().includes('401')) errors.push(message.text())
  })
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url())
    if (origin !== service.origin && protocol !== 'data:') errors.push(`request to ${request.url()}`)
  })
  await page.goto(`${service.origin}/audit${path}`)
  return { page, errors }
}

/** Signs in and pins the log key. */
export async function signIn(auditor: AuditorPage, token: string): Promise<void> {
  await auditor.page.locator('#token').fill(token)
  await auditor.page.locator('.sign-in button').click()
  await pinKey(auditor)
}

/** Pins the log key that the service publishes, unless a key is pinned. */
export async function pinKey({ page }: AuditorPage): Promise<void> {
  await page.locator('header nav').waitFor()
  const pin = page.locator('.notice .keys button')
  if ((await pin.count()) > 0) await pin.first().click()
}

/** Opens the newest entry of a path and waits for its verification. */
export async function openEntry({ page }: AuditorPage, path: string): Promise<void> {
  await page.goto(`${new URL(page.url()).origin}/audit?path=${encodeURIComponent(path)}&result=ok`)
  await page.locator('a.row-link').first().click()
  await page.locator('.verdict.passed, .verdict.failed, .verdict.skipped').waitFor()
}

/** The outcome of each verification step. */
export async function outcomes({ page }: AuditorPage): Promise<Readonly<Record<string, string | undefined>>> {
  const steps = await page
    .locator('.step')
    .evaluateAll((items) =>
      items.map((item) => [item.getAttribute('data-step'), item.getAttribute('data-outcome')]),
    )
  return Object.fromEntries(steps)
}

/** Modifies entries between the service and the browser. */
export async function tamper({ page }: AuditorPage, change: (body: string) => string): Promise<void> {
  await page.route(/\/audit\/api\/entries\/[^/]+$/, async (route) => {
    const response = await route.fetch()
    const body = await response.text()
    const other = change(body)
    if (other === body) throw new Error('no change')
    await route.fulfill({ response, body: other })
  })
}
