/** Tiny fragments and chunks cost the service no more than their bytes. */
import { connect, type Socket } from 'node:net'
import { expect, it } from 'vitest'
import { createBodyMemoryBudget } from '../../../service/limits/body-memory.ts'
import { IncomingMessageBuffer } from '../../../service/transport/socket-flow.ts'
import { shared } from '../../support/hooks.ts'
import { logIn, send } from '../../support/raw-client.ts'
import { openSocket } from '../../support/raw-socket.ts'
import { startMeasuredProcess } from '../../support/service-process.ts'

const child = shared(
  () => startMeasuredProcess(),
  (child) => child.close(),
)

/** A connection that has said `words`, what it has heard, and its end. */
function say(
  words: Buffer | string,
  localAddress = '127.0.0.66',
): { socket: Socket; reply: () => string; ended: Promise<unknown> } {
  const socket = connect({ port: child.port, host: '127.0.0.1', localAddress })
  let text = ''
  socket.on('error', () => undefined)
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  socket.write(words)
  return { socket, reply: () => text, ended: new Promise((resolve) => socket.once('close', resolve)) }
}

const upgrade =
  'GET /seal HTTP/1.1\r\nhost: pieces\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-protocol: miniseal.v1\r\n\r\n'

/** The beginning of a binary message, and `count` fragments of one byte that go on with it (RFC 6455, section 5.4). */
const fragments = (count: number): Buffer =>
  Buffer.concat([
    Buffer.from([0x02, 0x81, 0, 0, 0, 0, 1]),
    ...Array.from({ length: count }, () => Buffer.from([0x00, 0x81, 0, 0, 0, 0, 1])),
  ])

it('a socket is closed for a message in thousands of fragments, and 200 such sockets use little memory', async () => {
  const before = child.residentMemory()
  const cut = await child.metric('miniseal_sockets_closed_total')
  const sockets = Array.from({ length: 200 }, () => say(upgrade))
  for (const { socket, reply } of sockets) {
    await expect.poll(reply).toContain('101')
    socket.write(fragments(9_000))
  }
  await Promise.all(sockets.map(({ ended }) => ended))
  for (const { reply } of sockets) expect(reply()).toContain('\x03\xf0')
  // The service counts a socket once it has seen its end.
  await expect.poll(async () => (await child.metric('miniseal_sockets_closed_total')) - cut).toBe(200)
  // The fragments of all were 380 MB.
  expect(child.residentMemory() - before).toBeLessThan(100 * 2 ** 20)
}, 60_000)

it('a frame in 200 fragments is answered', async () => {
  const session = await logIn(child.service)
  const socket = await openSocket(child.service)
  const prepared = session.prepare({ path: '/sessions' })
  const { ws } = socket
  const size = Math.ceil(prepared.frame.length / 200)
  const all = Array.from({ length: Math.ceil(prepared.frame.length / size) }, (_, i) =>
    prepared.frame.subarray(i * size, (i + 1) * size),
  )
  const whole = ws.send.bind(ws)
  ws.send = () => {
    for (const [i, piece] of all.entries()) whole(piece, { binary: true, fin: i === all.length - 1 })
  }
  expect((await socket.send(prepared)).status).toBe(200)
  ws.terminate()
})

it('a one-byte read is counted with its overhead', () => {
  let cuts = 0
  const rooms = createBodyMemoryBudget(2 ** 26)
  const message = new IncomingMessageBuffer(rooms, 'a', 2 ** 20, () => {
    cuts += 1
  })
  for (let i = 0; i < 512; i++) message.add(1, false)
  expect(cuts).toBe(0)
  message.add(1, false)
  expect(cuts).toBe(1)
})

const head = (path: string): string =>
  `POST ${path} HTTP/1.1\r\nhost: pieces\r\ncontent-type: application/vnd.miniseal\r\ntransfer-encoding: chunked\r\n\r\n`

it.each(['/seal', '/audit/api/session'])(
  'a body in one-byte chunks at %s closes the connection and is counted',
  async (path) => {
    const label = 'reason="tiny-chunks"'
    const before = await child.metric('miniseal_connections_closed_total', label)
    const { ended, reply } = say(head(path) + '1\r\nx\r\n'.repeat(10_000))
    await ended
    expect(reply()).toBe('')
    expect((await child.metric('miniseal_connections_closed_total', label)) - before).toBe(1)
  },
)

it('an address that repeats one-byte chunks is blocked and no other address is', async () => {
  const label = 'reason="tiny-chunks"'
  const before = await child.metric('miniseal_connections_closed_total', label)
  const flood = head('/seal') + '1\r\nx\r\n'.repeat(10_000)
  await Promise.all(Array.from({ length: 60 }, () => say(flood, '127.0.0.67').ended))
  expect((await child.metric('miniseal_connections_closed_total', label)) - before).toBe(8)
  const get = 'GET /healthz HTTP/1.1\r\nhost: pieces\r\n\r\n'
  const refused = say(get, '127.0.0.67')
  await refused.ended
  expect(refused.reply()).toBe('')
  const other = say(get, '127.0.0.68')
  await expect.poll(other.reply).toContain('HTTP/1.1 200')
  other.socket.destroy()
})

it('a body in chunks of ordinary size is answered', async () => {
  const session = await logIn(child.service)
  const prepared = session.prepare({ method: 'POST', path: '/nowhere', body: 'x'.repeat(300_000) })
  const hex = (piece: Uint8Array): Buffer =>
    Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')])
  for (const size of [128, 1_000, 65_536]) {
    const { frame } = session.prepare({ method: 'POST', path: '/nowhere', body: 'x'.repeat(300_000) })
    const pieces = Array.from({ length: Math.ceil(frame.length / size) }, (_, i) =>
      hex(frame.subarray(i * size, (i + 1) * size)),
    )
    const { reply, socket } = say(
      Buffer.concat([Buffer.from(head('/seal')), ...pieces, Buffer.from('0\r\n\r\n')]),
    )
    await expect.poll(reply).toContain('HTTP/1.1 200')
    socket.destroy()
  }
  expect((await send(child.service, prepared)).kind).toBe('sealed')
})
