/** Receipts: the proof of a transfer, checked on the phone and drawn. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { neighbourSides } from '../../../miniprogram/app/receipts/neighbours.ts'
import type { TestService } from '../../support/service.ts'
import { startTestService } from '../../support/service.ts'
import type { TestBrowser } from './browser.ts'
import { buildPages, startBrowser } from './browser.ts'
import type { Phone } from './phones.ts'
import { expectStage, fillTransfer, openNamed } from './phones.ts'

it('draws the neighbours on the sides on which RFC 6962 has them', () => {
  // The tree of seven entries of RFC 6962, section 2.1.3.
  expect(neighbourSides(0, 7)).toEqual(['right', 'right', 'right'])
  expect(neighbourSides(3, 7)).toEqual(['left', 'left', 'right'])
  expect(neighbourSides(4, 7)).toEqual(['right', 'right', 'left'])
  expect(neighbourSides(6, 7)).toEqual(['left', 'left'])
  expect(neighbourSides(0, 1)).toEqual([])
})

/** Another id in the place of each one that the phone has kept. */
const foreignEntry = `
  const kept = JSON.parse(JSON.parse(localStorage.getItem('phone-a:receipts')))
  const changed = JSON.stringify(kept.map(([transfer]) => [transfer, 'A'.repeat(43)]))
  localStorage.setItem('phone-a:receipts', JSON.stringify(changed))`

describe('a receipt', () => {
  let service: TestService
  let browser: TestBrowser
  let payer: Phone
  let payee: Phone

  beforeAll(async () => {
    await buildPages()
    service = await startTestService()
    browser = await startBrowser()
    payer = await openNamed(browser.context, service, 'a', '小明')
    payee = await openNamed(browser.context, service, 'b', '小红')
  })

  afterAll(async () => {
    await browser?.close()
    await service?.close()
  })

  it('is verified step by step, and stamped only then', async () => {
    await fillTransfer(payer, '小红', '36.80')
    await payer.id('confirm').click()
    await expectStage(payer, 'done')
    await payer.id('view-receipt').click()
    await payer.id('proof-checking').waitFor()
    expect(await payer.page.locator('.stamp').count()).toBe(0)
    await payer.id('proof-verified').waitFor({ timeout: 30_000 })
    await expect.poll(() => payer.page.locator('.step-mark--ok').count()).toBe(4)
    await payer.page.locator('.stamp').waitFor()
    await payer.text('已签名的状态 · 共').waitFor()
  })

  it('can be opened again from the wallet', async () => {
    await payer.page.locator('#back').click()
    await payer.page.locator('[id*="--transfer-"]').first().click()
    await payer.id('proof-verified').waitFor({ timeout: 30_000 })
  })

  it('is on the phone that paid, and the other one says so', async () => {
    await payee.page.bringToFront()
    await payee.page.locator('[id*="--transfer-"]').first().click()
    await payee.text('它在付款的手机上').waitFor()
    expect(await payee.page.locator('.stamp').count()).toBe(0)
  })

  it('is not shown for an entry that is not of this user', async () => {
    await payer.page.bringToFront()
    await payer.page.evaluate(foreignEntry)
    await payer.page.reload()
    await payer.page.locator('[id*="--transfer-"]').first().click()
    await payer.text('没有找到相关内容').waitFor()
    expect(await payer.page.locator('.stamp').count()).toBe(0)
  })
})
