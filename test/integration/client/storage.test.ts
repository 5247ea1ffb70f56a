import { expect, it } from 'vitest'
import { wxStorage } from '../../../miniprogram/client/storage.ts'
import { createLoopback } from '../../support/wx-loopback.ts'

it('the storage stores a value encrypted', async () => {
  const loopback = createLoopback({ appid: 'wx1' })
  const storage = wxStorage(loopback.wx)
  await storage.set('key', 'value')
  expect(loopback.storage.get('key')).toEqual({ data: 'value', isEncrypted: true })
  expect(await storage.get('key')).toBe('value')
})

it('the storage returns nothing for an absent, removed or undecryptable value', async () => {
  const loopback = createLoopback({ appid: 'wx1' })
  const storage = wxStorage(loopback.wx)
  expect(await storage.get('never')).toBeUndefined()
  await storage.set('removed', 'value')
  await storage.remove('removed')
  expect(await storage.get('removed')).toBeUndefined()
  loopback.storage.set('plain', { data: 'value', isEncrypted: false })
  expect(await storage.get('plain')).toBeUndefined()
})

it('the storage fails when a value cannot be written', async () => {
  const storage = wxStorage(createLoopback({ appid: 'wx1' }).wx)
  await expect(storage.set('key', 'x'.repeat(734_004))).rejects.toMatchObject({
    errMsg: 'setStorage:fail entry size limit reached',
  })
})
