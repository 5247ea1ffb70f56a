/** Whatever a container gives back, a transport gives an answer or refuses with its own error. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ChannelError, cloudTransport } from '../../../miniprogram/client/index.ts'
import type { WeChatCloud } from '../../../miniprogram/client/wx.ts'

const types = [
  'application/vnd.miniseal',
  'application/vnd.miniseal+base64',
  'application/problem+json',
  'text/html',
]

/** What `callContainer` may call back with: bytes or text, spoiled or not, under any type. */
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

it('returns an answer or a ChannelError for arbitrary container answers', async () => {
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
        const request = {
          url: 'https://a/seal',
          method: 'POST',
          headers: {},
          body: new Uint8Array(3),
          timeoutMs: 1,
        } as const
        try {
          const { body } = await transport.send(request)
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
