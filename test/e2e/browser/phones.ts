/** One phone of the demo in a page, and what people do with it. */
import type { BrowserContext, Page } from 'playwright-core'
import type { TestService } from '../../support/service.ts'

export interface Phone {
  readonly page: Page
  /** Errors of the page so far: exceptions, refused loads, what the app logs as errors. */
  readonly errors: readonly string[]
  /** An element by its id in the templates, on the page that is shown. */
  readonly id: (name: string) => ReturnType<Page['locator']>
  /** Amounts as they are read out, for example `10,000.00 CNY`. */
  readonly balance: () => Promise<string | null>
  /** What can be read on the page that is shown. */
  readonly text: (words: string) => ReturnType<Page['locator']>
  openTab(index: 1 | 2 | 3): Promise<void>
}

/** Opens the mini program; every phone has a user of its own, `a` or `b`, as long as the context lives. */
export async function openPhone(
  context: BrowserContext,
  service: TestService,
  which: 'a' | 'b',
): Promise<Phone> {
  const page = await context.newPage()
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text())
  })
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url())
    if (origin !== service.origin && protocol !== 'data:') errors.push(`asks ${request.url()}`)
  })
  await page.goto(`${service.origin}/demo/phone.html#${which}`)
  const id = (name: string): ReturnType<Page['locator']> => {
    return page.locator(`[mp-page]:not([hidden]) [id$="--${name}"]`)
  }
  return {
    page,
    errors,
    id,
    balance: () => id('balance').locator('[aria-label]').getAttribute('aria-label'),
    text: (words) => page.locator('[mp-page]:not([hidden])').getByText(words),
    openTab: (index) => page.locator(`#tabs button:nth-child(${index})`).click(),
  }
}

/** Opens one and gives its user a name. */
export async function openNamed(
  context: BrowserContext,
  service: TestService,
  which: 'a' | 'b',
  name: string,
): Promise<Phone> {
  const phone = await openPhone(context, service, which)
  await phone.id('name').locator('input').fill(name)
  await phone.id('save-name').click()
  await phone.id('account').getByText(name, { exact: true }).waitFor()
  return phone
}

/** Fills in a transfer and goes as far as the sheet that asks for a yes. */
export async function fillTransfer(phone: Phone, payee: string, amount: string): Promise<void> {
  // A tab behind another one is drawn once a second.
  await phone.page.bringToFront()
  // Before the balance is there the button does nothing.
  await phone.id('balance').waitFor()
  await phone.id('transfer').click()
  await phone.id('payee').locator('input').fill(payee)
  await phone.id('amount').locator('input').fill(amount)
  await phone.id('next').click()
  await phone.id('confirm').waitFor()
}

/** Waits until the transfer that is shown has come so far. */
export async function expectStage(phone: Phone, stage: string): Promise<void> {
  await phone.id(`outcome-${stage}`).waitFor({ timeout: 20_000 })
}
