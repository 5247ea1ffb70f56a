/** The mini program on an unreliable network. */
import { beforeEach, describe, expect, it } from 'vitest'
import { openBrowser, useBrowser } from './browser.ts'
import type { Phone } from './phones.ts'
import { expectStage, fillTransfer, openNamed } from './phones.ts'

describe('the wallet on an unreliable network', () => {
  const test = useBrowser()
  let phone: Phone

  beforeEach(async ({ task }) => {
    await test.browser.close()
    test.browser = await openBrowser()
    // Without sockets, all requests use wx.request, which the tests intercept.
    await test.browser.routeWebSocket(/\/seal$/, (socket) => socket.close())
    phone = await openNamed(test, 'a', `p${task.id.replace(/[^0-9]/g, '').slice(-12)}`)
  })

  it('the wallet sends nothing while offline and continues when the network is back', async () => {
    await fillTransfer(phone, 'shop', '2')
    await test.browser.setOffline(true)
    await phone.text('当前网络不可用').waitFor()
    await phone.id('confirm').click()
    await expectStage(phone, 'refused')
    await phone.text('网络不可用，款项未转出').waitFor()
    await test.browser.setOffline(false)
    await phone.id('change').click()
    await phone.id('next').click()
    await phone.id('confirm').click()
    await expectStage(phone, 'done')
    await phone.id('to-wallet').click()
    await expect.poll(phone.balance).toBe('9,998.00 CNY')
  })

  it('the wallet shows that the network is slow, and then the result', async () => {
    await fillTransfer(phone, 'shop', '3')
    await phone.page.route('**/seal', async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 6_000))
      await route.continue().catch(() => {})
    })
    await phone.id('confirm').click()
    await expectStage(phone, 'sending')
    await phone.text('网络较慢，请稍候').waitFor()
    await expectStage(phone, 'done')
  })

  it('the wallet resolves a transfer whose response was lost after a restart, without sending it twice', async () => {
    await fillTransfer(phone, 'shop', '4')
    let arrived = 0
    await test.browser.route('**/seal', async (route) => {
      // The request arrives, the answer is lost.
      try {
        await route.fetch()
        arrived += 1
        await route.abort()
      } catch {
        // The page was reloaded, or the route was removed.
      }
    })
    await phone.id('confirm').click()
    await expectStage(phone, 'unknown')
    await phone.text('暂时无法确认是否转出').waitFor()
    expect(arrived).toBeGreaterThan(0)
    await phone.id('to-wallet').click()
    await phone.page.reload()
    await test.browser.unroute('**/seal')
    await phone.id('pending').click()
    await expectStage(phone, 'done')
    await phone.id('to-wallet').click()
    await expect.poll(phone.balance).toBe('9,996.00 CNY')
    expect(await phone.id('pending').count()).toBe(0)
  })

  it('the wallet cancels a transfer for good, even after a restart and when delayed copies arrive', async () => {
    await fillTransfer(phone, 'shop', '6')
    const delayed: Buffer[] = []
    await test.browser.route('**/seal', async (route) => {
      delayed.push(route.request().postDataBuffer() ?? Buffer.alloc(0))
      await route.abort()
    })
    await phone.id('confirm').click()
    await expectStage(phone, 'unknown')
    const sent = delayed.length
    await phone.id('cancel-transfer').click()
    await phone.text('正在取消转账').waitFor()
    expect(await phone.id('cancel-transfer').count()).toBe(0)
    await phone.id('to-wallet').click()
    await phone.page.reload()
    await test.browser.unroute('**/seal')
    await phone.id('pending').click()
    await expectStage(phone, 'refused')
    await phone.text('转账已取消，款项未转出').waitFor()
    expect(sent).toBeGreaterThan(0)
    for (const frame of delayed.slice(0, sent)) {
      const headers = { 'content-type': 'application/vnd.miniseal' }
      const body = new Uint8Array(frame)
      expect((await fetch(`${test.service.origin}/seal`, { method: 'POST', headers, body })).status).toBe(200)
    }
    await phone.id('to-wallet').click()
    await phone.page.reload()
    await expect.poll(phone.balance).toBe('10,000.00 CNY')
    expect(await phone.id('pending').count()).toBe(0)
  })

  it('the wallet shows that a transfer had been made before it was cancelled', async () => {
    await fillTransfer(phone, 'shop', '7')
    let isInterrupted = true
    await test.browser.route('**/seal', async (route) => {
      if (!isInterrupted) return route.continue()
      await route.fetch()
      return route.abort()
    })
    await phone.id('confirm').click()
    await expectStage(phone, 'unknown')
    await phone.id('cancel-transfer').click()
    await phone.text('正在取消转账').waitFor()
    isInterrupted = false
    await expectStage(phone, 'done')
    await phone.id('to-wallet').click()
    await expect.poll(phone.balance).toBe('9,993.00 CNY')
  })

  it('the wallet shows an unknown result and resolves it when the user checks again', async () => {
    await fillTransfer(phone, 'shop', '8')
    let isInterrupted = true
    await test.browser.route('**/seal', async (route) => {
      if (!isInterrupted) return route.continue()
      await route.fetch()
      return route.abort()
    })
    await phone.page.clock.install()
    const minutesUntil = (name: string): Promise<void> =>
      expect
        .poll(
          async () => {
            await phone.page.clock.runFor(2_000)
            return await phone.id(name).count()
          },
          { timeout: 25_000 },
        )
        .toBe(1)
    await phone.id('confirm').click()
    await minutesUntil('check-again')
    await phone.text('转账结果未知').waitFor()
    expect(await phone.id('cancel-transfer').count()).toBe(1)
    isInterrupted = false
    await phone.id('check-again').click()
    await minutesUntil('outcome-done')
  })

  it('the wallet logs in again when the session has expired', async () => {
    await phone.id('balance').waitFor()
    test.service.advanceClock(3 * 3600)
    await fillTransfer(phone, 'shop', '5')
    await phone.id('confirm').click()
    await expectStage(phone, 'done')
  })

  it('the wallet shows a load error and loads again on retry', async () => {
    await test.browser.route('**/seal', (route) => route.abort())
    await phone.page.reload()
    await phone.text('重试').waitFor()
    await test.browser.unroute('**/seal')
    await phone.text('重试').click()
    await expect.poll(phone.balance).toBe('10,000.00 CNY')
  })
})
