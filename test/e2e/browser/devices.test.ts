/** Devices of one user, and the language of the app. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestService } from '../../support/service.ts'
import { startTestService } from '../../support/service.ts'
import type { TestBrowser } from './browser.ts'
import { buildPages, startBrowser } from './browser.ts'
import type { Phone } from './phones.ts'
import { openNamed, openPhone } from './phones.ts'

/** Where this host keeps who the WeChat user of phone A is. */
const userEntry = 'phone-a:sandbox-openid'

describe('the devices of a user', () => {
  let service: TestService
  let first: TestBrowser
  let second: TestBrowser
  let own: Phone
  let lost: Phone

  beforeAll(async () => {
    await buildPages()
    service = await startTestService()
    first = await startBrowser()
    second = await startBrowser()
    own = await openNamed(first.context, service, 'a', 'Lin')
    const user = await own.page.evaluate<string>(`localStorage.getItem('${userEntry}')`)
    await second.context.addInitScript(`localStorage.setItem('${userEntry}', ${JSON.stringify(user)})`)
    lost = await openPhone(second.context, service, 'a')
    await lost.page.getByText('Lin', { exact: true }).waitFor()
  })

  afterAll(async () => {
    await first?.close()
    await second?.close()
    await service?.close()
  })

  it('are listed, and one is removed after a question', async () => {
    await own.openTab(3)
    await own.id('remove-0').click()
    await own.page.getByText('移除这台设备？').waitFor()
    await own.page.locator('.dialog .cancel').click()
    await expect.poll(() => own.id('remove-0').count()).toBe(1)
    await own.id('remove-0').click()
    await own.page.locator('.dialog .confirm').click()
    await own.text('没有其他设备登录').waitFor()
  })

  it('learn that they were removed, and join again as a new device', async () => {
    await lost.openTab(3)
    await lost.text('此设备已被移除').waitFor()
    await lost.page.getByText('重新登录', { exact: true }).click()
    await lost.text('已登录').waitFor()
    await own.openTab(1)
    await own.openTab(3)
    await own.id('remove-0').waitFor()
  })

  it('speak the language that people choose, also after a restart', async () => {
    await own.id('language-en').click()
    await own.text('Other devices').waitFor()
    await expect.poll(() => own.page.locator('#title').textContent()).toBe('Devices')
    await expect.poll(() => own.page.locator('#tabs').textContent()).toBe('WalletMessagesDevices')
    await own.page.reload()
    await own.text('Available balance').waitFor()
  })

  it('sign out, and WeChat signs them in again', async () => {
    await own.openTab(3)
    await own.id('sign-out').click()
    await own.page.locator('.dialog .confirm').click()
    await expect.poll(own.balance).toBe('10,000.00 CNY')
  })

  it('show no error of their own on the way', () => {
    expect([...own.errors, ...lost.errors]).toEqual([])
  })
})
