/** A phone of the demo in a browser page. */
import type { Page } from 'playwright-core'
import type { BrowserTest } from './browser.ts'

export interface Phone {
  readonly page: Page
  /** Exceptions, console errors and requests to other hosts. */
  readonly errors: readonly string[]
  /** An element of the visible page, by its id in the template. */
  readonly id: (name: string) => ReturnType<Page['locator']>
  /** The balance, for example `10,000.00 CNY`. */
  readonly balance: () => Promise<string | null>
  /** Text of the visible page. */
  readonly text: (content: string) => ReturnType<Page['locator']>
  openTab(index: 1 | 2 | 3): Promise<void>
}

/** Opens the mini program. The phones `a` and `b` of a browser context have different users. */
export async function openPhone({ browser, service }: BrowserTest, which: 'a' | 'b'): Promise<Phone> {
  const page = await browser.newPage()
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text())
  })
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url())
    if (origin !== service.origin && protocol !== 'data:') errors.push(`request to ${request.url()}`)
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
    text: (content) => page.locator('[mp-page]:not([hidden])').getByText(content),
    openTab: (index) => page.locator(`#tabs button:nth-child(${index})`).click(),
  }
}

/** Opens the mini program and sets the user's name. */
export async function openNamed(test: BrowserTest, which: 'a' | 'b', name: string): Promise<Phone> {
  const phone = await openPhone(test, which)
  await phone.id('name').locator('input').fill(name)
  await phone.id('save-name').click()
  await phone.id('account').getByText(name, { exact: true }).waitFor()
  return phone
}

/** Fills in a transfer and opens the confirmation sheet. */
export async function fillTransfer(phone: Phone, payee: string, amount: string): Promise<void> {
  // Chromium throttles rendering of background tabs.
  await phone.page.bringToFront()
  // The button is disabled until the balance is loaded.
  await phone.id('balance').waitFor()
  await phone.id('transfer').click()
  await phone.id('payee').locator('input').fill(payee)
  await phone.id('amount').locator('input').fill(amount)
  await phone.id('next').click()
  await phone.id('confirm').waitFor()
}

/** Waits for a state of the transfer page. */
export async function expectStage(phone: Phone, stage: string): Promise<void> {
  await phone.id(`outcome-${stage}`).waitFor()
}
