import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fetchTransport } from '../../../miniprogram/client/node.ts'
import type { Transport } from '../../../miniprogram/client/transports/transport.ts'
import { wxRequestTransport } from '../../../miniprogram/client/transports/wx.ts'
import type { WeChat } from '../../../miniprogram/client/wx.ts'
import { createLoopback } from '../../support/wx-loopback.ts'

const reading = { method: 'GET', headers: {}, body: undefined, timeoutMs: 5000 } as const
const sending = { method: 'POST', headers: {}, body: new Uint8Array(2), timeoutMs: 5000 } as const

let server: Server
let base: string

beforeAll(async () => {
  server = createServer(async (request, response) => {
    if (request.url === '/hangs') return
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    const status = Number(request.url?.slice(1)) || 200
    response.writeHead(status, {
      'X-Content-Type': request.headers['content-type'] ?? '',
      'X-Method': request.method,
    })
    response.end(Buffer.concat(parts))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const transports: readonly (readonly [string, () => Transport])[] = [
  ['wx.request', () => wxRequestTransport(createLoopback({ appid: 'wx1' }).wx)],
  ['fetch', fetchTransport],
]

describe.each(transports)('the transport over %s', (_name, create) => {
  const headers = { 'content-type': 'application/vnd.miniseal' }

  it('the transport transfers bytes in both directions, including a view of a longer buffer', async () => {
    const longer = Uint8Array.from({ length: 300 }, (_, index) => index % 256)
    const body = longer.subarray(5, 261)
    const answer = await create().send({ url: `${base}/200`, method: 'POST', headers, body, timeoutMs: 5000 })
    expect(answer.status).toBe(200)
    expect([...answer.body]).toEqual([...body])
    expect(answer.headers['x-content-type']).toBe('application/vnd.miniseal')
  })

  it('the transport resolves for every status, with header names in lower case', async () => {
    for (const status of [201, 401, 413, 500, 503]) {
      const answer = await create().send({ ...reading, url: `${base}/${status}` })
      expect(answer.status).toBe(status)
      expect(answer.headers['x-method']).toBe('GET')
      expect(answer.body).toHaveLength(0)
    }
  })

  it('the transport fails with network when the connection is refused', async () => {
    const refused = create().send({ ...sending, url: 'http://127.0.0.1:1/seal' })
    await expect(refused).rejects.toMatchObject({ code: 'network', retryable: true })
  })

  it('the transport fails with timeout when the response is late', async () => {
    const request = { ...sending, url: `${base}/hangs`, timeoutMs: 50 }
    await expect(create().send(request)).rejects.toMatchObject({ code: 'timeout', retryable: true })
  })
})

it('the transport sends and requests an ArrayBuffer', async () => {
  const { wx } = createLoopback({ appid: 'wx1' })
  let options: Parameters<WeChat['request']>[0] | undefined
  const watching: WeChat = {
    ...wx,
    request: (given) => {
      options = given
      return wx.request(given)
    },
  }
  const body = new Uint8Array(100).subarray(10, 20)
  await wxRequestTransport(watching).send({ ...sending, url: `${base}/200`, body })
  expect(options?.data).toBeInstanceOf(ArrayBuffer)
  expect(options?.data?.byteLength).toBe(10)
  expect(options?.responseType).toBe('arraybuffer')
  expect(options?.dataType).not.toBe('json')
})

it('the transport rejects a response that is not an ArrayBuffer', async () => {
  const { wx } = createLoopback({ appid: 'wx1' })
  const odd: WeChat = {
    ...wx,
    request: ({ success }) => setTimeout(() => success({ statusCode: 200, header: {}, data: 'text' }), 0),
  }
  const request = { ...reading, url: base }
  await expect(wxRequestTransport(odd).send(request)).rejects.toMatchObject({ code: 'unexpected_answer' })
})

it('the transport does not follow redirects', async () => {
  const redirecting = createServer((_request, response) => {
    response.writeHead(307, { location: `${base}/200` }).end()
  })
  await new Promise<void>((resolve) => redirecting.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(redirecting.address() as AddressInfo).port}/seal`
  const redirected = fetchTransport().send({ ...sending, url })
  await expect(redirected).rejects.toMatchObject({ code: 'network' })
  redirecting.closeAllConnections()
  redirecting.close()
})
