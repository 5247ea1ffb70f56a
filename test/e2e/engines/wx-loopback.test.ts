import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createLoopback } from '../../support/wx-loopback.ts'

let server: Server
let url: string

beforeAll(async () => {
  server = createServer((request, response) => {
    setTimeout(() => response.writeHead(404, { 'X-Referer': request.headers.referer }).end('{"a":1}'), 20)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})

afterAll(() => {
  server.close()
})

describe('the loopback wx', () => {
  it('the loopback wx calls back asynchronously', async () => {
    const { wx } = createLoopback({ appid: 'wx1' })
    let isSynchronous = true
    const calls = await Promise.all([
      new Promise((resolve) => wx.getRandomValues({ length: 4, success: () => resolve(isSynchronous) })),
      new Promise((resolve) => wx.getStorage({ key: 'none', fail: () => resolve(isSynchronous) })),
      new Promise((resolve) => wx.request({ url, success: () => resolve(isSynchronous) })),
      Promise.resolve().then(() => {
        isSynchronous = false
        return false
      }),
    ])
    expect(calls).toEqual([false, false, false, false])
  })

  it('the loopback wx calls success for every status, parses by default and sets its own referer', async () => {
    const { wx } = createLoopback({ appid: 'wx1' })
    const result = await new Promise((success, fail) =>
      wx.request({ url, header: { Referer: 'mine' }, success, fail }),
    )
    expect(result).toMatchObject({
      statusCode: 404,
      data: { a: 1 },
      header: { 'X-Referer': 'https://servicewechat.com/wx1/devtools/page-frame.html' },
    })
  })

  it('the loopback wx runs at most ten requests concurrently', async () => {
    const loopback = createLoopback({ appid: 'wx1' })
    const all = Array.from(
      { length: 25 },
      () => new Promise((success) => loopback.wx.request({ url, success })),
    )
    await Promise.all(all)
    expect(loopback.requests).toHaveLength(25)
    expect(loopback.mostInFlight()).toBe(10)
  })

  it('the loopback wx connects to loopback only', async () => {
    const { wx } = createLoopback({ appid: 'wx1' })
    const failure = await new Promise((fail) => wx.request({ url: 'https://pay.example.com/', fail }))
    expect(failure).toMatchObject({ errMsg: 'request:fail url not in domain list' })
  })
})
