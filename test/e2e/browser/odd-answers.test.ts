/** The transfer page with unexpected answers of the backend. */
import { Hono } from 'hono'
import { beforeAll, describe, expect, it } from 'vitest'
import { mountApp } from '../../../service/gateway/backend.ts'
import type { InnerVariables } from '../../../service/index.ts'
import { useBrowser } from './browser.ts'
import type { Phone } from './phones.ts'
import { expectStage, fillTransfer, openPhone } from './phones.ts'

describe('a transfer with an unexpected response', () => {
  let phone: Phone
  let answer: { readonly status: 201 | 409 | 503; readonly body: object } = { status: 201, body: {} }
  let received = 0

  const backend = new Hono<{ Variables: InnerVariables }>()
  backend.get('/wallet', (c) => c.json({ user: c.var.caller.user, balance: 1_000_000, currency: 'CNY' }))
  backend.get('/wallet/transfers', (c) => c.json({ transfers: [] }))
  backend.get('/wallet/received', (c) => c.json({ transfers: [] }))
  backend.get('/chat/profile', (c) => c.json({ user: c.var.caller.user, name: 'Lin' }))
  backend.get('/chat/contacts', (c) => c.json({ contacts: [] }))
  backend.post('/wallet/transfers', (c) => {
    received += 1
    return c.json(answer.body, answer.status)
  })

  const test = useBrowser({ locale: 'en-US' }, { backend: mountApp(backend, async () => {}) })
  beforeAll(async () => {
    phone = await openPhone(test, 'a')
  })

  it('a transfer has an unknown outcome when the response is malformed', async () => {
    answer = { status: 201, body: { ok: true } }
    await fillTransfer(phone, 'shop', '1')
    await phone.id('confirm').click()
    await expectStage(phone, 'unknown')
    await phone.id('to-wallet').click()
    await phone.id('pending').waitFor()
    expect(received).toBe(1)
    await phone.page.reload()
  })

  it('a transfer has an unknown outcome when the backend responds with 503', async () => {
    answer = { status: 503, body: { error: 'down' } }
    await fillTransfer(phone, 'shop', '2')
    await phone.id('confirm').click()
    await expectStage(phone, 'unknown')
    await phone.id('to-wallet').click()
    await phone.page.reload()
  })

  it('a transfer is refused when the backend responds with 409', async () => {
    answer = { status: 409, body: { error: 'limit' } }
    await fillTransfer(phone, 'shop', '3')
    await phone.id('confirm').click()
    await expectStage(phone, 'refused')
    await phone.text('No money was sent').waitFor()
  })
})
