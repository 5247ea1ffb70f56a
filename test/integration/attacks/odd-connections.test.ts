/** Connections that are no HTTP/1.1, or on the wrong port, are refused with a reason and closed. */
import { request } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { beforeAll, expect, it } from 'vitest'
import { sharedService } from '../../support/hooks.ts'

let port: number

const service = sharedService()

beforeAll(async () => {
  port = Number(new URL(service.url ?? '').port)
})

/** All that is answered until the connection ends, which the other side must do. */
function output(bytes: string | Uint8Array, to = port): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true })
    let text = ''
    socket.on('data', (chunk) => {
      text += String(chunk)
    })
    socket.on('end', () => {
      socket.destroy()
      resolve(text)
    })
    socket.on('error', reject)
    socket.write(bytes)
  })
}

const upgrade = (to: string, more = '') =>
  `GET /seal HTTP/1.1\r\nhost: x\r\nconnection: upgrade${more === '' ? '' : ', http2-settings'}\r\nupgrade: ${to}\r\n${more}\r\n`

it.each([
  ['h2c', upgrade('h2c', 'http2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n'), 400, /other than WebSocket/],
  ['an unknown protocol', upgrade('quantum/2'), 400, /other than WebSocket/],
  ['TLS within HTTP (RFC 2817)', upgrade('TLS/1.0'), 400, /other than WebSocket/],
  [
    'CONNECT',
    'CONNECT pay.example.com:443 HTTP/1.1\r\nhost: pay.example.com:443\r\n\r\n',
    405,
    /Not a proxy/,
  ],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505, /HTTP\/2 is not supported/],
  ['a TLS handshake', Uint8Array.of(22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3), 400, /TLS on a plain HTTP port/],
  ['SSH', 'SSH-2.0-OpenSSH_9.6\r\n', 400, /Malformed HTTP\/1\.1 request/],
  ['a header without end', `GET / HTTP/1.1\r\nx: ${'x'.repeat(40_000)}\r\n\r\n`, 431, /Header too large/],
])('%s is refused with a reason and the connection is closed', async (_, bytes, status, reason) => {
  const answer = await output(bytes)
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
  expect(head.toLowerCase()).toContain('content-type: application/problem+json')
  expect(head).toContain(`content-length: ${body.length}`)
  expect(JSON.parse(body)).toMatchObject({ status, title: expect.stringMatching(reason) })
})

it.each(['push', 'metrics', 'readyz'])(
  'only the canonical spelling of /%s is routed, so that a proxy rule blocks it',
  async (name) => {
    const answered = (path: string) =>
      output(
        `${name === 'push' ? 'POST' : 'GET'} ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`,
      )
    const encoded = `%${name.charCodeAt(0).toString(16)}${name.slice(1)}`
    for (const path of [
      `/${encoded}`,
      `/x/../${name}`,
      `/./${name}`,
      `/%2e/${name}`,
      `/x/%2E./${name}`,
      `/${name}#x`,
    ])
      expect(await answered(path)).toMatch(/^HTTP\/1\.1 404 /)
    if (name === 'readyz') expect(await answered('/readyz?a=%41')).toMatch(/^HTTP\/1\.1 200 /)
  },
)

it('a TLS client gets an error that says the port has no TLS', async () => {
  const failed = new Promise<Error>((resolve) => {
    connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }).on('error', resolve)
  })
  expect((await failed).message).toMatch(/wrong version number/i)
})

it('an HTTP/2 client is refused', async () => {
  const client = connectHttp2(service.url ?? '')
  await new Promise((resolve) => client.on('error', resolve))
  client.destroy()
})

it('the sandbox port identifies itself as the sandbox', async () => {
  const answer = await fetch(`${service.sandboxUrl}/seal`, { method: 'POST', body: 'x' })
  expect([answer.status, await answer.json()]).toEqual([404, { error: 'the sandbox has no such route' }])
})

it('other clients are served after malformed connections', async () => {
  const status = await new Promise((resolve, reject) => {
    request(`${service.url}/healthz`, ({ statusCode }) => resolve(statusCode))
      .on('error', reject)
      .end()
  })
  expect(status).toBe(200)
})
