/** The devices page of the mini program. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser, useBrowser } from './browser.ts'
import type { Phone } from './phones.ts'
import { openNamed, openPhone } from './phones.ts'

/** The simulator's storage entry for the WeChat user of phone A. */
const userEntry = 'phone-a:sandbox-openid'

describe('the devices page', () => {
  const test = useBrowser()
  let own: Phone
  let removed: Phone

  beforeAll(async () => {
    const second = await openBrowser()
    own = await openNamed(test, 'a', 'Lin')
    const user = await own.page.evaluate<string>(`localStorage.getItem('${userEntry}')`)
    await second.addInitScript(`localStorage.setItem('${userEntry}', ${JSON.stringify(user)})`)
    removed = await openPhone({ ...test, browser: second }, 'a')
    await removed.page.getByText('Lin', { exact: true }).waitFor()
  })

  afterAll(() => removed?.page.context().close())

  it('the devices page lists devices and removes one after confirmation', async () => {
    await own.openTab(3)
    await own.id('remove-0').click()
    await own.page.getByText('移除这台设备？').waitFor()
    await own.page.locator('.dialog .cancel').click()
    await expect.poll(() => own.id('remove-0').count()).toBe(1)
    await own.id('remove-0').click()
    await own.page.locator('.dialog .confirm').click()
    await own.text('没有其他设备').waitFor()
  })

  it('the devices page informs a removed device and signs it in again as a new device', async () => {
    await removed.openTab(3)
    await removed.text('此设备已被移除').waitFor()
    await removed.page.getByText('重新登录', { exact: true }).click()
    await removed.text('已登录').waitFor()
    await own.openTab(1)
    await own.openTab(3)
    await own.id('remove-0').waitFor()
  })

  it('the devices page keeps the chosen language after a restart', async () => {
    await own.id('language-en').click()
    await own.text('Other devices').waitFor()
    await expect.poll(() => own.page.locator('#title').textContent()).toBe('Devices')
    await expect.poll(() => own.page.locator('#tabs').textContent()).toBe('WalletMessagesDevices')
    await own.page.reload()
    await own.text('Available balance').waitFor()
  })

  it('the devices page signs out, and signs in automatically afterwards', async () => {
    await own.openTab(3)
    await own.id('sign-out').click()
    await own.page.locator('.dialog .confirm').click()
    await expect.poll(own.balance).toBe('10,000.00 CNY')
  })

  it('the devices page logs no errors', () => {
    expect([...own.errors, ...removed.errors]).toEqual([])
  })
})
