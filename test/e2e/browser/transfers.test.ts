/** Transfers in the mini program. */
import { beforeAll, describe, expect, it } from 'vitest'
import { useBrowser } from './browser.ts'
import type { Phone } from './phones.ts'
import { expectStage, fillTransfer, openNamed } from './phones.ts'

/** Five taps before the page renders. */
const fiveTaps = `
  const button = document.querySelector('[mp-page]:not([hidden]) [id$="--confirm"]')
  for (let tap = 0; tap < 5; tap += 1) {
    for (const type of ['mousedown', 'mouseup']) button.dispatchEvent(new MouseEvent(type, { bubbles: true }))
  }`

describe('the wallet', () => {
  const test = useBrowser()
  let payer: Phone
  let payee: Phone

  beforeAll(async () => {
    payer = await openNamed(test, 'a', '小明')
    payee = await openNamed(test, 'b', '小红')
  })

  const toWallet = async (phone: Phone): Promise<void> => {
    await phone.id('to-wallet').click()
    await phone.id('balance').waitFor()
  }

  it('the wallet logs in automatically and shows the balance', async () => {
    expect(await payer.balance()).toBe('10,000.00 CNY')
    expect(await payee.balance()).toBe('10,000.00 CNY')
  })

  it('the wallet sends money, and the other phone shows it immediately', async () => {
    await fillTransfer(payer, '小红', '12.5')
    await payer.id('confirm').click()
    await expectStage(payer, 'done')
    await expect.poll(payee.balance).toBe('10,012.50 CNY')
    await payee.page.locator('.toast').getByText('12.50').waitFor()
    await toWallet(payer)
    await expect.poll(payer.balance).toBe('9,987.50 CNY')
  })

  it('the wallet rejects invalid amounts, amounts above the limit and amounts above the balance', async () => {
    await payer.page.bringToFront()
    await payer.id('transfer').click()
    await payer.id('payee').locator('input').fill('小红')
    for (const [amount, problem] of [
      ['1.234', '最多两位小数'],
      ['12,5', '最多两位小数'],
      ['0', '需大于 0'],
      ['50000.01', '单笔最多'],
      ['20000', '余额不足'],
    ] as const) {
      await payer.id('amount').locator('input').fill(amount)
      await payer.id('next').click()
      await payer.text(problem).waitFor()
    }
    expect(await payer.id('confirm').count()).toBe(0)
    await payer.page.locator('#back').click()
  })

  it('the wallet requires a fingerprint above 1,000.00 CNY and sends nothing when it is cancelled', async () => {
    await fillTransfer(payer, '小红', '1000.01')
    await payer.id('confirm').click()
    const prompt = payer.page.locator('.biometric')
    await prompt.getByText('1,000.01 元，转账给 小红').waitFor()
    await prompt.locator('.cancel').click()
    await expectStage(payer, 'refused')
    await payer.text('款项未转出').waitFor()
    expect(await payee.balance()).toBe('10,012.50 CNY')
  })

  it('the wallet sends the transfer after the fingerprint', async () => {
    await payer.id('change').click()
    await payer.id('next').click()
    await payer.id('confirm').click()
    await payer.page.locator('.print').click()
    await expectStage(payer, 'done')
    await expect.poll(payee.balance).toBe('11,012.51 CNY')
    await toWallet(payer)
  })

  it('the wallet sends one transfer for several taps', async () => {
    const before = await payee.balance()
    expect(before).toBe('11,012.51 CNY')
    await fillTransfer(payer, '小红', '1')
    await payer.page.evaluate(fiveTaps)
    await expectStage(payer, 'done')
    await expect.poll(payee.balance).toBe('11,013.51 CNY')
    await toWallet(payer)
    await expect.poll(payer.balance).toBe('8,986.49 CNY')
  })

  it('the wallet shows a refusal and that no money was sent', async () => {
    await fillTransfer(payer, '小明', '1')
    await payer.id('confirm').click()
    await expectStage(payer, 'refused')
    await payer.text('款项未转出').waitFor()
    await toWallet(payer)
    await expect.poll(payer.balance).toBe('8,986.49 CNY')
  })

  it('the wallet logs no errors', () => {
    expect(payer.errors).toEqual([])
    expect(payee.errors).toEqual([])
  })
})
