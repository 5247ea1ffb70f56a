/** `/phone-number` and `/encrypted-data`: a user's own data from WeChat. */
import { expect, it } from 'vitest'
import { findField } from '../../../crypto/frames/binary-http.ts'
import { sharedService, sharedSession } from '../../support/hooks.ts'
import { logIn, type ReceivedReply } from '../../support/raw-client.ts'

const openid = 'openid-of-the-caller'
const phoneApi = 'wxa/business/getuserphonenumber'

const service = sharedService()
const session = sharedSession(service, { openid })

async function phoneCode(of = openid): Promise<{ code: string; phoneNumber: string }> {
  const made = await service.sandbox('/sandbox/phone-codes', { appid: service.appid, openid: of })
  return made as { code: string; phoneNumber: string }
}

const ask = (body: unknown, key?: string): Promise<ReceivedReply> =>
  session.send({ method: 'POST', path: '/phone-number', body, ...(key === undefined ? {} : { key }) })

interface Sealed {
  readonly iv: string
  readonly encryptedData: string
  readonly rawData: string
  readonly signature: string
}

async function userData(parts: Record<string, unknown> = {}): Promise<Sealed> {
  const body = { appid: service.appid, openid, data: { nickName: 'nick-canary' }, ...parts }
  return (await service.sandbox('/sandbox/encrypted-data', body)) as Sealed
}

const openData = (body: unknown): Promise<ReceivedReply> =>
  session.send({ method: 'POST', path: '/encrypted-data', body })

it('a code is exchanged for the phone number of its owner, in an uncacheable response', async () => {
  const { code, phoneNumber } = await phoneCode()
  const received = await ask({ code })
  expect(received).toMatchObject({ kind: 'sealed', status: 200 })
  expect(received.json).toEqual({
    phone_number: phoneNumber,
    pure_phone_number: phoneNumber,
    country_code: '86',
  })
  expect(findField(received.fields, 'cache-control')).toBe('no-store')
  for (const secret of [code, phoneNumber, openid]) expect(service.logText()).not.toContain(secret)
})

it('a repeated request gets the stored response, without another call to WeChat', async () => {
  const { code, phoneNumber } = await phoneCode()
  await ask({ code }, 'once')
  const again = await ask({ code }, 'once')
  expect(again).toMatchObject({ status: 200, json: { phone_number: phoneNumber } })
  expect(findField(again.fields, 'idempotency-replayed')).toBe('true')
})

it('a used, unknown or foreign code is payload_invalid', async () => {
  const { code } = await phoneCode()
  await ask({ code })
  const other = await phoneCode('openid-of-somebody-else')
  for (const bad of [code, 'made-up', other.code])
    expect(await ask({ code: bad })).toMatchObject({ status: 400, json: { code: 'payload_invalid' } })
})

it.each([{}, { code: '' }, { code: 7 }, { code: 'x'.repeat(513) }, { code: 'x', more: 1 }])(
  'the body %j is refused: payload_invalid',
  async (body) => {
    expect(await ask(body)).toMatchObject({ status: 400, json: { code: 'payload_invalid', step: 'handler' } })
  },
)

it('both routes need an Idempotency-Key', async () => {
  const body = { code: 'x' }
  const received = await session.send({ method: 'POST', path: '/phone-number', body, key: undefined })
  expect(received.json.code).toBe('idempotency_missing')
})

it.each([45011, 45009])(
  'errcode %i of WeChat gives rate_limited with outcome none, and a retry with another key gets the number',
  async (errcode) => {
    const { code, phoneNumber } = await phoneCode()
    await service.sandbox('/sandbox/faults', { path: phoneApi, errcode })
    const key = `quota-${errcode}`
    expect(await ask({ code }, key)).toMatchObject({ status: 429, json: { code: 'rate_limited' } })
    expect((await ask({ code }, key)).json).toMatchObject({ code: 'rate_limited', outcome: 'none' })
    expect((await ask({ code }, `${key}-anew`)).json).toMatchObject({ phone_number: phoneNumber })
  },
)

it('wechat_unavailable has an unknown outcome when WeChat does not respond', async () => {
  const { code } = await phoneCode()
  await service.sandbox('/sandbox/faults', { path: phoneApi, drop: true })
  const received = await ask({ code })
  expect(received).toMatchObject({ status: 503, json: { code: 'wechat_unavailable', outcome: 'unknown' } })
})

it('encrypted data is decrypted with the session key of the last login', async () => {
  const { iv, encryptedData, rawData, signature } = await userData()
  const opened = { nickName: 'nick-canary', watermark: { appid: service.appid } }
  const received = await openData({ iv, data: encryptedData })
  expect(received).toMatchObject({ kind: 'sealed', status: 200, json: opened })
  expect(findField(received.fields, 'cache-control')).toBe('no-store')
  expect(await openData({ iv, data: encryptedData, raw_data: rawData, signature })).toMatchObject({
    status: 200,
  })
  expect(service.logText()).not.toContain('nick-canary')
})

it('encrypted data that is foreign, too old, changed or wrongly signed is payload_invalid', async () => {
  await logIn(service, { openid: 'openid-two' })
  const good = await userData()
  const other = await userData({ openid: 'openid-two' })
  const old = await userData({ timestamp: service.now() - 301 })
  const wrong = { raw_data: `${good.rawData} `, signature: good.signature }
  for (const body of [
    { iv: other.iv, data: other.encryptedData },
    { iv: old.iv, data: old.encryptedData },
    { iv: good.iv, data: good.encryptedData.replace(/^./, (c) => (c === 'A' ? 'B' : 'A')) },
    { iv: good.iv, data: good.encryptedData, ...wrong },
    { iv: good.iv, data: good.encryptedData, raw_data: good.rawData },
    { iv: good.iv, data: good.encryptedData, signature: good.signature },
    { iv: good.iv },
  ]) {
    expect(await openData(body)).toMatchObject({ status: 400, json: { code: 'payload_invalid' } })
  }
})
