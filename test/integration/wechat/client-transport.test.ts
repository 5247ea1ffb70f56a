import { setTimeout } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { sandboxApp } from '../../../service/wechat/apps.ts'
import { newClock, startClient, startSandbox, startServer } from './fixtures.ts'

const { appid } = sandboxApp
const path = 'sns/jscode2session'
const good = { openid: 'o1', session_key: 'o0q0otL8aEzpcZL/FT9WsQ==' }

const refused = (kind: string) => ({ code: 'wechat_unavailable', cause: { kind } })

describe('the deadline', () => {
  it('the deadline ends a call whose response does not begin', async () => {
    const sandbox = await startSandbox()
    const { client, calls } = startClient(sandbox.url, { deadlineMs: 200 })
    await sandbox.fault({ path, delay_ms: 5000 })
    const started = performance.now()
    await expect(client.exchangeCode(appid, 'code')).rejects.toMatchObject(refused('timeout'))
    const took = performance.now() - started
    expect(took).toBeGreaterThan(190)
    expect(calls).toEqual([{ api: path, outcome: 'failed', durationMs: expect.any(Number) }])
  })

  it('the deadline ends a call whose response arrives slowly', async () => {
    const server = await startServer((_request, response) => {
      response.writeHead(200)
      const drip = setInterval(() => response.write(' '), 20)
      response.on('close', () => clearInterval(drip))
    })
    const { client } = startClient(server.url, { deadlineMs: 200 })
    await expect(client.exchangeCode(appid, 'code')).rejects.toMatchObject(refused('timeout'))
  })
})

describe('an unusable response', () => {
  const { openid, session_key } = good
  it.each([
    ['no JSON', '<html>'],
    ['nothing', ''],
    ['JSON that is cut off', '{"openid":"o1"'],
    ['an array', '[]'],
    ['null', 'null'],
    ['no openid', JSON.stringify({ session_key })],
    ['an empty openid', JSON.stringify({ openid: '', session_key })],
    ['an openid that is no string', JSON.stringify({ openid: 1, session_key })],
    ['no session_key', JSON.stringify({ openid })],
    ['a session_key that is not 16 bytes', JSON.stringify({ openid, session_key: 'AAAA' })],
    ['an errcode that is no number', JSON.stringify({ ...good, errcode: '40029' })],
  ])('an unusable response is refused: %s', async (_what, body) => {
    const sandbox = await startSandbox()
    const { client, calls } = startClient(sandbox.url)
    await sandbox.fault({ path, body })
    await expect(client.exchangeCode(appid, 'code')).rejects.toMatchObject(refused('malformed'))
    expect(calls).toMatchObject([{ api: path, outcome: 'failed' }])
    expect(client.lastSeen()).toBeUndefined()
  })

  it('a response that is not UTF-8 is refused', async () => {
    const server = await startServer((_request, response) => {
      const [before, after] = JSON.stringify({ ...good, openid: 'o?1' }).split('?')
      response.end(Buffer.concat([Buffer.from(before ?? ''), Buffer.of(0xff), Buffer.from(after ?? '')]))
    })
    const exchange = startClient(server.url).client.exchangeCode(appid, 'code')
    await expect(exchange).rejects.toMatchObject(refused('malformed'))
  })

  it('a response over 64 KiB is refused and not read to its end', async () => {
    const chunk = Buffer.alloc(16 * 1024, ' ')
    let sent = 0
    const server = await startServer((_request, response) => {
      const more = () => {
        while (!response.destroyed && sent < 64 * 1024 * 1024) {
          sent += chunk.length
          if (!response.write(chunk)) {
            response.once('drain', more)
            return
          }
        }
        response.end(JSON.stringify(good))
      }
      more()
    })
    const exchange = startClient(server.url).client.exchangeCode(appid, 'code')
    await expect(exchange).rejects.toMatchObject(refused('network'))
    expect(sent).toBeLessThan(32 * 1024 * 1024)
  })

  it.each([
    ['just fits', 64 * 1024, true],
    ['is one byte over', 64 * 1024 + 1, false],
  ])('the size of a response is measured exactly: one that %s', async (_what, size, fits) => {
    const server = await startServer((_request, response) => response.end(JSON.stringify(good).padEnd(size)))
    const exchange = startClient(server.url).client.exchangeCode(appid, 'code')
    expect(
      await exchange.then(
        () => true,
        () => false,
      ),
    ).toBe(fits)
  })

  it.each([201, 301, 302, 307, 400, 403, 500, 503])(
    'a response with status %i is refused',
    async (status) => {
      const sandbox = await startSandbox()
      await sandbox.fault({ path, status, body: JSON.stringify(good) })
      const exchange = startClient(sandbox.url).client.exchangeCode(appid, 'code')
      await expect(exchange).rejects.toMatchObject(refused('status'))
    },
  )

  it.each([301, 302, 303, 307, 308])(
    'the client does not follow a redirect with status %i',
    async (status) => {
      const elsewhere = await startServer((_request, response) => response.end(JSON.stringify(good)))
      const server = await startServer((request, response) => {
        response.writeHead(status, { location: `${elsewhere.url}${request.url}` }).end()
      })
      const exchange = startClient(server.url).client.exchangeCode(appid, 'code')
      await expect(exchange).rejects.toMatchObject(refused('status'))
      expect([server.count(), elsewhere.count()]).toEqual([1, 0])
    },
  )
})

describe('a connection that fails', () => {
  it('a call fails when the connection is closed after the request', async () => {
    const sandbox = await startSandbox()
    const { client } = startClient(sandbox.url)
    await sandbox.fault({ path, drop: true })
    await expect(client.exchangeCode(appid, 'code')).rejects.toMatchObject(refused('network'))
    expect(await sandbox.calls(path)).toBe(1)
  })

  it('a request is not sent again when a kept-alive connection is closed after it', async () => {
    const ports: (number | undefined)[] = []
    const server = await startServer((request, response) => {
      ports.push(request.socket.remotePort)
      if (ports.length === 1) response.end(JSON.stringify(good))
      else response.destroy()
    })
    const { client } = startClient(server.url)
    await client.exchangeCode(appid, 'first')
    // Long enough for the connection to be free again.
    await setTimeout(50)
    await expect(client.exchangeCode(appid, 'second')).rejects.toMatchObject(refused('network'))
    await setTimeout(50)
    expect(ports).toHaveLength(2)
    expect(ports[1]).toBe(ports[0])
  })

  it('a call fails when the connection is closed in the middle of the response', async () => {
    const server = await startServer((_request, response) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('{"openid"', () => response.destroy())
    })
    const exchange = startClient(server.url).client.exchangeCode(appid, 'code')
    await expect(exchange).rejects.toMatchObject(refused('network'))
  })

  it('a refused connection fails the call with the reason', async () => {
    const server = await startServer(() => undefined)
    const port = new URL(server.url).port
    const { client } = startClient(`http://127.0.0.2:${port}`)
    const exchange = client.exchangeCode(appid, 'code')
    await expect(exchange).rejects.toMatchObject({ cause: { message: 'network: ECONNREFUSED' } })
  })
})

describe('the transport', () => {
  it('the transport parses JSON under any content type and after a byte order mark', async () => {
    const server = await startServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end(`\uFEFF${JSON.stringify(good)}`)
    })
    expect(await startClient(server.url).client.exchangeCode(appid, 'code')).toMatchObject({ openid: 'o1' })
  })

  it.each(['', '/', '/wechat', '/wechat/'])(
    'the transport keeps the path "%s" of the base URL',
    async (prefix) => {
      const urls: (string | undefined)[] = []
      const server = await startServer((request, response) => {
        urls.push(request.url)
        response.end(JSON.stringify(good))
      })
      await startClient(`${server.url}${prefix}`).client.exchangeCode(appid, 'code')
      expect(urls[0]?.split('?')[0]).toBe(`${prefix.replace(/\/$/, '')}/sns/jscode2session`)
    },
  )

  it('the transport records when WeChat last responded, also with a refusal', async () => {
    const clock = newClock()
    const sandbox = await startSandbox(clock)
    const { client } = startClient(sandbox.url, { clock })
    const start = clock.seconds
    expect(client.lastSeen()).toBeUndefined()
    await client.exchangeCode(appid, (await sandbox.newCode()).code)
    expect(client.lastSeen()).toBe(start)
    clock.seconds += 10
    await expect(client.exchangeCode(appid, 'unknown')).rejects.toMatchObject({ code: 'login_code_invalid' })
    expect(client.lastSeen()).toBe(start + 10)
    clock.seconds += 10
    await sandbox.fault({ path, status: 500 })
    await expect(client.exchangeCode(appid, 'unknown')).rejects.toMatchObject({ code: 'wechat_unavailable' })
    expect(client.lastSeen()).toBe(start + 10)
  })

  it('a closed transport finishes running calls and refuses later ones', async () => {
    const sandbox = await startSandbox()
    const { client } = startClient(sandbox.url)
    const { code, openid } = await sandbox.newCode()
    await sandbox.fault({ path, delay_ms: 100 })
    const running = client.exchangeCode(appid, code)
    while ((await sandbox.calls(path)) === 0);
    await Promise.all([client.close(), client.close()])
    expect((await running).openid).toBe(openid)
    await expect(client.exchangeCode(appid, 'late')).rejects.toMatchObject(refused('network'))
  })
})
