/** Connections that request far more than they read: bounded memory, and others are served. */
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type CloseReason, limitPipelining } from '../../../service/transport/connection-limits.ts'
import { floodUnread, pipelinedGets } from '../../support/floods.ts'
import { shared, sharedSession } from '../../support/hooks.ts'
import { startMeasuredProcess } from '../../support/service-process.ts'

describe('a service with a small heap', () => {
  let quiet: number

  const child = shared(
    () => startMeasuredProcess({}, 512),
    (child) => child.close(),
  )
  const session = sharedSession(() => child.service)

  beforeAll(async () => {
    for (let i = 0; i < 50; i++) expect((await session.send()).status).toBe(200)
    quiet = child.residentMemory()
  })

  it.each([
    '/audit/assets/app.js',
    '/openapi.json',
    '/docs/problems',
    '/demo/',
    '/healthz',
    '/log/checkpoint',
  ])(
    '10 connections that pipeline 60 KB of requests for %s are closed, use little memory and do not affect payments',
    async (path) => {
      const before = await child.metric('miniseal_connections_closed_total', 'pipelining')
      const flood = floodUnread({ port: child.port, from: '127.0.0.90' }, 10, pipelinedGets(path, 60_000))
      let most = 0
      try {
        for (let i = 0; i < 10; i++) {
          const payment = { method: 'POST', path: '/wallet/transfers' }
          const body = { payee: 'bob', amount: 1, currency: 'CNY' }
          expect((await session.send({ ...payment, body })).status).toBe(201)
          expect((await fetch(`${child.service.origin}/healthz`)).status).toBe(200)
          most = Math.max(most, child.residentMemory())
        }
        await expect
          .poll(() => child.metric('miniseal_connections_closed_total', 'pipelining'), { timeout: 20_000 })
          .toBeGreaterThan(before + 10)
      } finally {
        await flood.stop()
      }
      expect(most - quiet).toBeLessThan(150 * 1_048_576)
    },
    60_000,
  )
})

describe('one connection', () => {
  const cuts: CloseReason[] = []
  const held: (() => void)[] = []
  const connections = new Set<Socket>()
  const large = new Uint8Array(8_388_608)
  const server = createServer((request, response) => {
    if (request.url === '/large') response.end(large)
    else if (request.url === '/held') held.push(() => response.end('held'))
    else response.end(request.url)
  })
  limitPipelining(server, {
    // As if each port were an address.
    sourceOf: ({ headers }) => String(headers['x-source']),
    onClose: (reason) => cuts.push(reason),
  })
  server.on('connection', (socket) => connections.add(socket))
  let port: number

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    port = (server.address() as AddressInfo).port
  })

  afterEach(() => {
    cuts.length = 0
    connections.clear()
  })

  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })

  const get = (path: string, source = 'a'): string =>
    `GET ${path} HTTP/1.1\r\nhost: a\r\nx-source: ${source}\r\n\r\n`

  function open(): { socket: Socket; text: () => string; closed: Promise<unknown> } {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('error', () => undefined)
    let text = ''
    socket.on('data', (chunk) => {
      text += String(chunk)
    })
    return { socket, text: () => text, closed: new Promise((resolve) => socket.once('close', resolve)) }
  }

  it('32 pipelined requests in one packet are answered in order and 33 close the connection', async () => {
    const paths = Array.from({ length: 32 }, (_, i) => `/${i}`)
    const { socket, text, closed } = open()
    socket.write(paths.map((path) => get(path)).join(''))
    await expect
      .poll(() => [...text().matchAll(/\r\n\r\n(\/\d+)/g)].map(([, path]) => path), { timeout: 20_000 })
      .toEqual(paths)
    socket.write([...paths, '/32'].map((path) => get(path)).join(''))
    await closed
    expect(cuts).toEqual(['pipelining'])
  })

  it('a connection is not read while 4 requests wait and is read again once they are answered', async () => {
    const { socket, text } = open()
    socket.write([get('/held'), get('/1'), get('/2'), get('/3')].join(''))
    await expect.poll(() => held.length, { timeout: 20_000 }).toBe(1)
    const [server] = [...connections]
    // What the system holds for the service is not the service's.
    for (let i = 4; i < 40; i++) {
      socket.write(get(`/${i}`))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(server?.bytesRead).toBeLessThan(5 * get('/held').length)
    expect(cuts).toEqual([])
    socket.destroy()
    for (const answer of held.splice(0)) answer()
    expect(text()).toBe('')
  })

  it('a pipelined request is processed after the response before it was read', async () => {
    const { socket, text } = open()
    socket.write([get('/held'), get('/held'), get('/last')].join(''))
    await expect.poll(() => held.length, { timeout: 20_000 }).toBe(1)
    held.pop()?.()
    await expect.poll(() => held.length, { timeout: 20_000 }).toBe(1)
    held.pop()?.()
    await expect.poll(text, { timeout: 20_000 }).toContain('/last')
    expect(text().match(/held/g)).toHaveLength(2)
    socket.destroy()
  })

  it('unread responses hold one response per connection and 64 MiB in total, and the largest sources are closed first', async () => {
    const honest = open()
    honest.socket.pause()
    honest.socket.write(get('/large', 'honest'))
    const greedy = Array.from({ length: 14 }, () => {
      const opened = open()
      opened.socket.pause()
      opened.socket.write(get('/large', 'greedy').repeat(4))
      return opened
    })
    await expect.poll(() => cuts.length, { timeout: 20_000 }).toBeGreaterThan(2)
    expect(new Set(cuts)).toEqual(new Set(['slow-reader']))
    const unread = [...connections].reduce(
      (sum, { destroyed, writableLength }) => sum + (destroyed ? 0 : writableLength),
      0,
    )
    expect(unread).toBeLessThanOrEqual(67_108_864)
    // The one of another address is still there, and gets all that it asked for.
    let bytes = 0
    honest.socket.on('data', (chunk) => {
      bytes += chunk.length
    })
    honest.socket.resume()
    await expect.poll(() => bytes, { timeout: 20_000 }).toBeGreaterThan(8_388_608)
    for (const { socket } of [honest, ...greedy]) socket.destroy()
  })
})
