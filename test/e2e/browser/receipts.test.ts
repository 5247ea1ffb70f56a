/** The receipt page. */
import { beforeAll, describe, expect, it } from 'vitest'
import { siblingSides } from '../../../miniprogram/app/pages/receipt/audit-path.ts'
import { useBrowser } from './browser.ts'
import type { Phone } from './phones.ts'
import { expectStage, fillTransfer, openNamed } from './phones.ts'

it('the receipt page draws sibling nodes on the sides that RFC 6962 defines', () => {
  // The tree of seven entries of RFC 6962, section 2.1.3.
  expect(siblingSides(0, 7)).toEqual(['right', 'right', 'right'])
  expect(siblingSides(3, 7)).toEqual(['left', 'left', 'right'])
  expect(siblingSides(4, 7)).toEqual(['right', 'right', 'left'])
  expect(siblingSides(6, 7)).toEqual(['left', 'left'])
  expect(siblingSides(0, 1)).toEqual([])
})

/** Replaces all stored receipt ids by the id of an unknown entry. */
const replaceReceiptIds = `
  const stored = JSON.parse(JSON.parse(localStorage.getItem('phone-a:receipts')))
  const changed = JSON.stringify(stored.map(([transfer]) => [transfer, 'A'.repeat(43)]))
  localStorage.setItem('phone-a:receipts', JSON.stringify(changed))`

describe('the receipt page', () => {
  const test = useBrowser()
  let payer: Phone
  let payee: Phone

  beforeAll(async () => {
    payer = await openNamed(test, 'a', '小明')
    payee = await openNamed(test, 'b', '小红')
  })

  it('the receipt page shows the verification step by step and a stamp at the end', async () => {
    await fillTransfer(payer, '小红', '36.80')
    await payer.id('confirm').click()
    await expectStage(payer, 'done')
    await payer.id('view-receipt').click()
    await payer.id('proof-checking').waitFor()
    expect(await payer.page.locator('.stamp').count()).toBe(0)
    await payer.id('proof-verified').waitFor()
    await expect.poll(() => payer.page.locator('.step-mark--ok').count()).toBe(4)
    await payer.page.locator('.stamp').waitFor()
    await payer.text('已签名的树根 · 共').waitFor()
  })

  it('the receipt page opens from the wallet', async () => {
    await payer.page.locator('#back').click()
    await payer.page.locator('[id*="--transfer-"]').first().click()
    await payer.id('proof-verified').waitFor()
  })

  it('the receipt page states for the payee that the receipt is on the phone of the payer', async () => {
    await payee.page.bringToFront()
    await payee.page.locator('[id*="--transfer-"]').first().click()
    await payee.text('凭证保存在付款方的手机上').waitFor()
    expect(await payee.page.locator('.stamp').count()).toBe(0)
  })

  it('the receipt page shows no receipt for an entry of another user', async () => {
    await payer.page.bringToFront()
    await payer.page.evaluate(replaceReceiptIds)
    await payer.page.reload()
    await payer.page.locator('[id*="--transfer-"]').first().click()
    await payer.text('没有找到相关内容').waitFor()
    expect(await payer.page.locator('.stamp').count()).toBe(0)
  })
})
