/** Cloud hosting: the same frames through `wx.cloud`, as bytes or as text. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { encodeFrame } from '../../../crypto/frames/frame.ts'
import { ChannelError, cloudTransport, type SocketListener } from '../../../miniprogram/client/index.ts'
import type { WeChatCloud, WeChatContainerCall, WeChatSocket } from '../../../miniprogram/client/wx.ts'
import { startTestService, type TestService } from '../../support/service.ts'
import { balance, createPhone, transfer } from './phone.ts'

const hosting = { env: 'prod-1', service: 'pay' } as const

const request = {
  url: 'https://p/seal',
  method: 'POST',
  headers: {},
  body: undefined,
  timeoutMs: 1,
} as const

interface Cloud extends WeChatCloud {
  readonly calls: Omit<WeChatContainerCall, 'success' | 'fail'>[]
}

/** `callContainer` that reaches a real service; `corrupted` are re-encoded as UTF-8, as some containers do. */
function cloudOf(service: TestService, corrupted: 'nothing' | 'requests' | 'answers'): Cloud {
  const calls: Cloud['calls'] = []
  const reencoded = (bytes: ArrayBuffer): ArrayBuffer => {
    const text = Buffer.from(bytes).toString('utf8')
    return new Uint8Array(Buffer.from(`\ufeff${text}`)).buffer
  }
  return {
    calls,
    callContainer: ({ success, fail, ...call }) => {
      calls.push(call)
      const { path, method, header, data } = call
      const body = data instanceof ArrayBuffer && corrupted === 'requests' ? reencoded(data) : data
      fetch(`${service.origin}${path}`, { method, headers: header, ...(body === undefined ? {} : { body }) })
        .then(async (answer) => {
          const bytes = await answer.arrayBuffer()
          const isFrame = answer.headers.get('content-type') === 'application/vnd.miniseal'
          const given = isFrame && corrupted === 'answers' ? reencoded(bytes) : bytes
          const content = call.responseType === 'text' ? Buffer.from(given).toString('utf8') : given
          success({ statusCode: answer.status, header: Object.fromEntries(answer.headers), data: content })
        })
        .catch((error) => fail({ errMsg: String(error) }))
    },
    connectContainer: () => undefined,
  }
}

it.each([
  ['binary', 'nothing'],
  ['text', 'nothing'],
  ['auto', 'nothing'],
  ['auto', 'requests'],
  ['auto', 'answers'],
] as const)(
  'the client makes a transfer once with the form %s while the container corrupts %s',
  async (form, corrupted) => {
    const service = await startTestService()
    const cloud = cloudOf(service, corrupted)
    const transport = cloudTransport({ ...hosting, form }, cloud)
    const { channel } = createPhone(service, 'openid-cloud', { transport, retries: 1 })
    expect((await channel.request(transfer)).status).toBe(201)
    expect(await balance(channel)).toBe(1_000_000 - 250)
    expect(cloud.calls[0]).toMatchObject({
      config: { env: 'prod-1' },
      path: '/.well-known/miniseal',
      header: { 'X-WX-SERVICE': 'pay' },
    })
    const last = cloud.calls[cloud.calls.length - 1]
    const isText = form === 'text' || corrupted !== 'nothing'
    expect([typeof last?.data, last?.header['content-type']]).toEqual(
      isText ? ['string', 'application/vnd.miniseal+base64'] : ['object', 'application/vnd.miniseal'],
    )
    await service.close()
  },
)

it('the cloud transport fails without sending when a request exceeds the limit of text bodies', async () => {
  const service = await startTestService()
  const cloud = cloudOf(service, 'nothing')
  const transport = cloudTransport({ ...hosting, form: 'text' }, cloud)
  const { channel } = createPhone(service, 'openid-large', { transport })
  await channel.login()
  const sent = cloud.calls.length
  const large = channel.request({ ...transfer, body: { ...transfer.body, note: 'x'.repeat(80_000) } })
  await expect(large).rejects.toMatchObject({ code: 'frame_too_large', outcome: 'none' })
  expect(cloud.calls).toHaveLength(sent)
  await service.close()
})

it.each([
  ['request:fail timeout', 'timeout'],
  ['cloud.callContainer:fail interrupted', 'interrupted'],
  ['cloud.callContainer:fail -606001 response size exceed limit', 'answer_too_large'],
  ['cloud.callContainer:fail -1', 'network'],
])('the cloud transport maps the failure %s to %s', async (errMsg, code) => {
  const cloud: WeChatCloud = {
    callContainer: ({ fail }) => fail({ errMsg }),
    connectContainer: () => undefined,
  }
  await expect(cloudTransport(hosting, cloud).send(request)).rejects.toMatchObject({ code })
})

it('the cloud transport throws unsupported without wx.cloud', () => {
  expect(() => cloudTransport(hosting)).toThrow(expect.objectContaining({ code: 'unsupported' }))
})

it('the cloud transport opens a container socket with the subprotocol of the channel', async () => {
  const reply: string[] = []
  let socket: Partial<Record<string, (value: never) => void>> = {}
  const sent: unknown[] = []
  const socketTask: WeChatSocket = {
    send: ({ data }) => sent.push(new Uint8Array(data)),
    close: () => reply.push('closed by us'),
    onOpen: (listener) => {
      socket = { ...socket, open: listener }
    },
    onMessage: (listener) => {
      socket = { ...socket, message: listener as never }
    },
    onError: () => {},
    onClose: (listener) => {
      socket = { ...socket, close: listener as never }
    },
  }
  const connections: unknown[] = []
  const cloud: WeChatCloud = {
    callContainer: () => undefined,
    connectContainer: ({ success, fail: _, ...options }) => {
      connections.push(options)
      success({ socketTask })
    },
  }
  const listener: SocketListener = {
    opened: () => reply.push('open'),
    received: (bytes) => reply.push(`message ${bytes.length}`),
    closed: (code, reason) => reply.push(`${code} ${reason}`),
  }
  const opened = cloudTransport(hosting, cloud).connect?.('wss://ignored/seal', 'miniseal.v1', listener)
  const frame = encodeFrame({ kind: 'refusal', problem: new Uint8Array(3) })
  socket.open?.(undefined as never)
  opened?.send(frame)
  socket.message?.({ data: frame.buffer } as never)
  socket.close?.({ code: 4401, reason: 'session over' } as never)
  opened?.close()
  expect(connections).toEqual([
    { config: { env: 'prod-1' }, service: 'pay', path: '/seal', protocols: ['miniseal.v1'] },
  ])
  expect(sent).toEqual([frame])
  expect(reply).toEqual(['open', 'message 5', '4401 session over', 'closed by us'])
})

const types = [
  'application/vnd.miniseal',
  'application/vnd.miniseal+base64',
  'application/problem+json',
  'text/html',
]

/** Arguments of the success callback of `callContainer`: bytes or text, valid or not, under any type. */
const answer = fc.record({
  statusCode: fc.constantFrom(200, 200, 400, 413, 502),
  header: fc
    .dictionary(fc.string({ maxLength: 5 }), fc.string({ maxLength: 5 }), { maxKeys: 2 })
    .chain((header) => fc.constantFrom(...types).map((type) => ({ ...header, 'Content-Type': type }))),
  data: fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => new Uint8Array(bytes).buffer),
    fc.string({ maxLength: 40, unit: 'binary' }),
    fc.base64String({ maxLength: 40 }),
  ),
})

it('the client returns a response or a ChannelError for arbitrary container responses', async () => {
  const counts = { given: 0, refused: 0 }
  const form = fc.constantFrom('auto' as const, 'binary' as const, 'text' as const)
  await fc.assert(
    fc.asyncProperty(form, fc.array(answer, { minLength: 1, maxLength: 3 }), async (chosen, answers) => {
      const left = [...answers]
      const cloud: WeChatCloud = {
        callContainer: ({ success }) =>
          success(left.shift() ?? { statusCode: 200, header: {}, data: new ArrayBuffer(0) }),
        connectContainer: () => undefined,
      }
      const transport = cloudTransport({ env: 'e', service: 's', form: chosen }, cloud)
      for (const _ of answers) {
        try {
          const { body } = await transport.send({ ...request, body: new Uint8Array(3) })
          expect(body).toBeInstanceOf(Uint8Array)
          counts.given++
        } catch (error) {
          expect(error).toBeInstanceOf(ChannelError)
          counts.refused++
        }
      }
    }),
    { numRuns: Number(process.env.TEST_PROPERTY_RUNS ?? 300) },
  )
  expect(Math.min(counts.given, counts.refused)).toBeGreaterThan(0)
})
