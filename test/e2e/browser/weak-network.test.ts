/** The mini program where the network fails: what it says is true at every moment, and money moves once. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { TestService } from '../../support/service.ts'
import { startTestService } from '../../support/service.ts'
import type { TestBrowser } from './browser.ts'
import { buildPages, startBrowser } from './browser.ts'
import type { Phone } from './phones.ts'
import { expectStage, fillTransfer, openNamed } from './phones.ts'

describe('a wallet without a good network', () => {
  let service: TestService
  let browser: TestBrowser
  let phone: Phone

  beforeAll(async () => {
    await buildPages()
    service = await startTestService()
  })

  afterAll(async () => {
    await browser?.close()
    await service?.close()
  })

  beforeEach(async (test) => {
    await browser?.close()
    browser = await startBrowser()
    // Without sockets every request goes by wx.request, where it can be cut.
    await browser.context.routeWebSocket(/\/seal$/, (socket) => socket.close())
    phone = await openNamed(
      browser.context,
      service,
      'a',
      `p${test.task.id.replace(/[^0-9]/g, '').slice(-12)}`,
    )
  })

  it('tells that it is offline, sends nothing then, and goes on when the network is back', async () => {
    await fillTransfer(phone, 'shop', '2')
    await browser.context.setOffline(true)
    await phone.text('网络已断开').waitFor()
    await phone.id('confirm').click()
    await expectStage(phone, 'refused')
    await phone.text('网络不可用，款项没有转出').waitFor()
    await browser.context.setOffline(false)
    await phone.id('change').click()
    await phone.id('next').click()
    await phone.id('confirm').click()
    await expectStage(phone, 'done')
    await phone.id('to-wallet').click()
    await expect.poll(phone.balance).toBe('9,998.00 CNY')
  })

  it('says that the network is slow, and then the result', async () => {
    await fillTransfer(phone, 'shop', '3')
    await phone.page.route('**/seal', async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 6_000))
      await route.continue().catch(() => {})
    })
    await phone.id('confirm').click()
    await expectStage(phone, 'sending')
    await phone.text('网络较慢，仍在等待结果').waitFor()
    await expectStage(phone, 'done')
  })

  it('finds out about a transfer whose answer was lost, never sends it twice, also after a restart', async () => {
    await fillTransfer(phone, 'shop', '4')
    let arrived = 0
    await browser.context.route('**/seal', async (route) => {
      // The service gets it, the phone gets nothing.
      try {
        await route.fetch()
        arrived += 1
        await route.abort()
      } catch {
        // The page was loaded anew meanwhile, or the way is free again.
      }
    })
    await phone.id('confirm').click()
    await expectStage(phone, 'unknown')
    await phone.text('还不知道是否转出').waitFor()
    expect(arrived).toBeGreaterThan(0)
    await phone.id('to-wallet').click()
    await phone.page.reload()
    await browser.context.unroute('**/seal')
    await phone.id('pending').click()
    await expectStage(phone, 'done')
    await phone.id('to-wallet').click()
    await expect.poll(phone.balance).toBe('9,996.00 CNY')
    expect(await phone.id('pending').count()).toBe(0)
  })

  it('gives a transfer up for good, also after a restart: what the network held back moves nothing', async () => {
    await fillTransfer(phone, 'shop', '6')
    const held: Buffer[] = []
    await browser.context.route('**/seal', async (route) => {
      held.push(route.request().postDataBuffer() ?? Buffer.alloc(0))
      await route.abort()
    })
    await phone.id('confirm').click()
    await expectStage(phone, 'unknown')
    const sent = held.length
    await phone.id('give-up').click()
    await phone.text('正在停止转账').waitFor()
    expect(await phone.id('give-up').count()).toBe(0)
    await phone.id('to-wallet').click()
    await phone.page.reload()
    await browser.context.unroute('**/seal')
    await phone.id('pending').click()
    await expectStage(phone, 'refused')
    await phone.text('已放弃，款项没有转出').waitFor()
    expect(sent).toBeGreaterThan(0)
    for (const frame of held.slice(0, sent)) {
      const headers = { 'content-type': 'application/vnd.miniseal' }
      const body = new Uint8Array(frame)
      expect((await fetch(`${service.origin}/seal`, { method: 'POST', headers, body })).status).toBe(200)
    }
    await phone.id('to-wallet').click()
    await phone.page.reload()
    await expect.poll(phone.balance).toBe('10,000.00 CNY')
    expect(await phone.id('pending').count()).toBe(0)
  })

  it('says that it was too late to give up what had been sent', async () => {
    await fillTransfer(phone, 'shop', '7')
    let isCut = true
    await browser.context.route('**/seal', async (route) => {
      if (!isCut) return route.continue()
      await route.fetch()
      return route.abort()
    })
    await phone.id('confirm').click()
    await expectStage(phone, 'unknown')
    await phone.id('give-up').click()
    await phone.text('正在停止转账').waitFor()
    isCut = false
    await expectStage(phone, 'done')
    await phone.id('to-wallet').click()
    await expect.poll(phone.balance).toBe('9,993.00 CNY')
  })

  it('says when the result is still unknown, and finds it out when it is asked again', async () => {
    await fillTransfer(phone, 'shop', '8')
    let isCut = true
    await browser.context.route('**/seal', async (route) => {
      if (!isCut) return route.continue()
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
    await minutesUntil('ask-again')
    await phone.text('结果仍未知').waitFor()
    expect(await phone.id('give-up').count()).toBe(1)
    isCut = false
    await phone.id('ask-again').click()
    await minutesUntil('outcome-done')
  })

  it('goes on after the login has expired, without a word', async () => {
    await phone.id('balance').waitFor()
    service.advanceClock(3 * 3600)
    await fillTransfer(phone, 'shop', '5')
    await phone.id('confirm').click()
    await expectStage(phone, 'done')
  })

  it('shows what cannot be loaded, why, and loads it when asked again', async () => {
    await browser.context.route('**/seal', (route) => route.abort())
    await phone.page.reload()
    await phone.text('重试').waitFor()
    await browser.context.unroute('**/seal')
    await phone.text('重试').click()
    await expect.poll(phone.balance).toBe('10,000.00 CNY')
  })
})
