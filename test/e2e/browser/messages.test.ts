/** Chat between two users of the mini program. */
import { beforeAll, describe, expect, it } from 'vitest'
import { useBrowser } from './browser.ts'
import type { Phone } from './phones.ts'
import { openNamed } from './phones.ts'

describe('a chat', () => {
  const test = useBrowser({ locale: 'en-US' })
  let customer: Phone
  let shop: Phone

  beforeAll(async () => {
    customer = await openNamed(test, 'a', 'Ada')
    shop = await openNamed(test, 'b', '客服')
  })

  const write = async (phone: Phone, text: string): Promise<void> => {
    await phone.page.bringToFront()
    await phone.id('entry').locator('input').fill(text)
    await phone.id('send').click()
  }

  it('the chat shows the number of unread messages to the recipient', async () => {
    await customer.openTab(2)
    await customer.id('contact-客服').click()
    await write(customer, 'Is it in stock?')
    await customer.page.locator('.line--sent').getByText('Is it in stock?').waitFor()
    await expect.poll(() => shop.page.locator('#tabs b').textContent()).toBe('1')
  })

  it('the chat delivers messages in both directions immediately', async () => {
    await shop.openTab(2)
    await shop.id('contact-Ada').click()
    await shop.page.locator('.bubble').getByText('Is it in stock?').waitFor()
    expect(await shop.page.locator('#tabs b').count()).toBe(0)
    await write(shop, '有货，今天发出')
    await customer.text('有货，今天发出').waitFor()
    await write(customer, '谢谢 <b>!</b>')
    await shop.text('谢谢 <b>!</b>').waitFor()
  })

  it('the chat shows the socket connection in the message list', async () => {
    await shop.page.locator('#back').click()
    await shop.id('live').waitFor()
  })

  it('the chat keeps an unsent message and sends it once on retry', async () => {
    await test.browser.setOffline(true)
    await write(customer, 'Still there?')
    await customer.text('Not delivered').waitFor()
    await test.browser.setOffline(false)
    await customer.text('Not delivered').click()
    await customer.page.locator('.line--sent').getByText('Still there?').waitFor()
    await shop.id('contact-Ada').click()
    const bubble = shop.page.locator('.bubble').getByText('Still there?')
    await bubble.waitFor()
    await expect.poll(() => bubble.count()).toBe(1)
  })
})
