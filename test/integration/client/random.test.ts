import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { RandomPool, wxRandom } from '../../../miniprogram/client/random.ts'
import { createLoopback } from '../../support/wx-loopback.ts'

it('the random pool returns nothing before it is filled', () => {
  const pool = new RandomPool(async (length) => randomBytes(length))
  expect(() => pool.take(1)).toThrow(expect.objectContaining({ code: 'no_random' }))
})

it.each(['Uint8Array', 'Buffer'])(
  'the random pool returns every byte once, in order, from a %s',
  async (kind) => {
    const drawn = randomBytes(2048)
    const expected = [...drawn]
    const pool = new RandomPool(async () => (kind === 'Buffer' ? drawn : new Uint8Array(drawn)))
    await pool.ready()
    const taken = [pool.take(16), pool.take(24)]
    expect(taken.flatMap((bytes) => [...bytes])).toEqual(expected.slice(0, 40))
  },
)

it('the random pool fails instead of reusing bytes when it is empty', async () => {
  const pool = new RandomPool(async (length) => randomBytes(length))
  await pool.ready()
  expect(() => pool.take(2049)).toThrow(expect.objectContaining({ code: 'no_random' }))
  pool.take(2048)
  expect(() => pool.take(1)).toThrow(expect.objectContaining({ code: 'no_random' }))
})

it('the random pool refills once for concurrent callers', async () => {
  let draws = 0
  const pool = new RandomPool(async (length) => {
    draws += 1
    return randomBytes(length)
  })
  await Promise.all([pool.ready(), pool.ready(), pool.ready()])
  expect(draws).toBe(1)
  pool.take(1025)
  await Promise.all([pool.ready(), pool.ready()])
  expect(draws).toBe(2)
  expect(pool.take(1024)).toHaveLength(1024)
})

it('the random pool rejects a source that fails or returns too few bytes or only zeros', async () => {
  const failing = new RandomPool(() => Promise.reject(new Error('no entropy')))
  const short = new RandomPool(async (length) => randomBytes(length - 1))
  const zeros = new RandomPool(async (length) => new Uint8Array(length))
  for (const pool of [failing, short, zeros]) {
    await expect(pool.ready()).rejects.toMatchObject({ code: 'no_random' })
  }
})

it('the random pool calls the source again after a failure', async () => {
  let isBroken = true
  const pool = new RandomPool(async (length) => {
    if (isBroken) throw new Error('not yet')
    return randomBytes(length)
  })
  await expect(pool.ready()).rejects.toMatchObject({ code: 'no_random' })
  isBroken = false
  await pool.ready()
  expect(pool.take(32)).toHaveLength(32)
})

it('the random source uses wx.getRandomValues', async () => {
  const pool = new RandomPool(wxRandom(createLoopback({ appid: 'wx1' }).wx))
  await pool.ready()
  expect(pool.take(32)).not.toEqual(pool.take(32))
})

it('the random source fails on a base library without wx.getRandomValues', async () => {
  const { getRandomValues: _, ...old } = createLoopback({ appid: 'wx1' }).wx
  const pool = new RandomPool(wxRandom(old as unknown as Parameters<typeof wxRandom>[0]))
  await expect(pool.ready()).rejects.toMatchObject({ code: 'no_random' })
})
