import { createCipheriv } from 'node:crypto'
import { expect, it } from 'vitest'
import { isRawDataSigned, openEncryptedData } from '../../../service/wechat/encrypted-data.ts'
import { sealUserData } from '../../../service/wechat/sandbox/state.ts'
import { codeOf } from '../../unit/crypto/code-of.ts'

const sessionKey = 'HyVFkGl5F5OQWJZZaNzBBg=='
const appid = 'wx4f4bc4dec97d474b'
const iv = new Uint8Array(16).fill(7)
const now = 1_764_000_000
const sealed = (data: Record<string, unknown>, timestamp = now, app = appid) =>
  sealUserData(sessionKey, iv, data, { timestamp, appid: app })
const open = (parts: { data: string; iv?: string; sessionKey?: string }) =>
  openEncryptedData({ sessionKey, iv: Buffer.from(iv).toString('base64'), appid, maxAge: 300, now, ...parts })

/** Any bytes, encrypted as WeChat does. */
function encrypt(text: string | Uint8Array, padding = true): string {
  const cipher = createCipheriv('aes-128-cbc', Buffer.from(sessionKey, 'base64'), iv).setAutoPadding(padding)
  return Buffer.concat([cipher.update(text), cipher.final()]).toString('base64')
}

// The rawData, session_key and signature of WeChat's page.
const rawData =
  '{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0"}'
const rawSignature = '75e81ceda165f4ffa64f4068af58c64b8f54b88c'

it("the signature of WeChat's example is accepted, and no other", () => {
  expect(isRawDataSigned(sessionKey, rawData, rawSignature)).toBe(true)
  expect(isRawDataSigned(sessionKey, `${rawData} `, rawSignature)).toBe(false)
  expect(isRawDataSigned('AAAAAAAAAAAAAAAAAAAAAA==', rawData, rawSignature)).toBe(false)
  expect(isRawDataSigned(sessionKey, rawData, rawSignature.toUpperCase())).toBe(false)
  for (const signature of ['', rawSignature.slice(1), `${rawSignature}0`, 'é'.repeat(20)])
    expect(isRawDataSigned(sessionKey, rawData, signature)).toBe(false)
})

it('data encrypted with the decoded key is decrypted, in any language', () => {
  const { encryptedData } = sealed({ nickName: '小明 😀', gender: 1 })
  expect(open({ data: encryptedData })).toEqual({
    nickName: '小明 😀',
    gender: 1,
    watermark: { timestamp: now, appid },
  })
})

it('a watermark is accepted up to 300 seconds old and up to 60 seconds ahead', () => {
  for (const timestamp of [now - 300, now + 60])
    expect(open({ data: sealed({}, timestamp).encryptedData }).watermark.timestamp).toBe(timestamp)
  for (const timestamp of [now - 301, now + 61])
    expect(codeOf(() => open({ data: sealed({}, timestamp).encryptedData }))).toBe('payload_invalid')
})

it('every other input is refused with the same payload_invalid text', () => {
  const good = sealed({ a: 1 }).encryptedData
  const watermark = { appid, timestamp: now }
  const refused = [
    { data: sealed({}, now, 'wx0000000000000000').encryptedData },
    { data: good, sessionKey: 'AAAAAAAAAAAAAAAAAAAAAA==' },
    { data: good, iv: 'AAAA' },
    { data: good, iv: '****' },
    { data: '' },
    { data: `${good}=` },
    { data: good.slice(0, 20) },
    { data: encrypt(new Uint8Array(32), false) },
    { data: encrypt(Uint8Array.of(0xff, 0xfe)) },
    { data: encrypt('not JSON') },
    { data: encrypt('[]') },
    { data: encrypt('{}') },
    { data: encrypt(`${JSON.stringify({ watermark })},`) },
    { data: encrypt(JSON.stringify({ watermark: { appid } })) },
    { data: encrypt(JSON.stringify({ watermark: { appid, timestamp: String(now) } })) },
    { data: encrypt(JSON.stringify({ watermark: { appid: [appid], timestamp: now } })) },
  ]
  const words = refused.map((parts) => {
    try {
      return JSON.stringify(open(parts))
    } catch (error) {
      expect(codeOf(() => open(parts))).toBe('payload_invalid')
      return error instanceof Error ? error.message : ''
    }
  })
  expect([...new Set(words)]).toEqual([expect.stringMatching(/^the data cannot be decrypted/)])
})
