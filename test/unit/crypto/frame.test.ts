import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Frame } from '../../../crypto/frames/frame.ts'
import { encodeFrame, parseFrame } from '../../../crypto/frames/frame.ts'
import { frames, shortest } from '../../conformance/vectors/make/frames.ts'
import { codeOf } from './code-of.ts'

const limit = 4096
const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length })
const sealed = { nonce: bytes(24), box: fc.uint8Array({ minLength: 16, maxLength: 400 }) }

const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    kind: fc.constant('handshake-request' as const),
    keyHint: bytes(8),
    ephemeral: bytes(32),
    ...sealed,
  }),
  fc.record({ kind: fc.constant('handshake-response' as const), ephemeral: bytes(32), ...sealed }),
  fc.record({ kind: fc.constant('request' as const), sessionId: bytes(16), ...sealed }),
  fc.record({ kind: fc.constant('response' as const), requestNonce: bytes(24), ...sealed }),
  fc.record({ kind: fc.constant('event' as const), ...sealed }),
  fc.record({ kind: fc.constant('refusal' as const), problem: fc.uint8Array({ maxLength: 400 }) }),
)

it('parseFrame inverts encodeFrame', () => {
  fc.assert(
    fc.property(anyFrame, (frame) => {
      expect(parseFrame(encodeFrame(frame), limit)).toEqual(frame)
    }),
  )
})

it('parseFrame accepts the shortest frame of every type', () => {
  expect(frames.map((frame) => encodeFrame(frame)[1])).toEqual([0x01, 0x02, 0x03, 0x04, 0x05, 0x0f, 0x0f])
  const sealed = frames.filter(({ kind }) => kind !== 'refusal')
  expect(sealed.map((frame) => encodeFrame(frame).length)).toEqual(Object.values(shortest).slice(0, -1))
})

it('parseFrame accepts a frame of exactly the size limit', () => {
  const frame = encodeFrame({ kind: 'event', nonce: new Uint8Array(24), box: new Uint8Array(74) })
  expect(frame).toHaveLength(100)
  expect(codeOf(() => parseFrame(frame, 100))).toBeUndefined()
  expect(codeOf(() => parseFrame(frame, 99))).toBe('frame_too_large')
})

it('parseFrame refuses every truncated frame and does not ignore trailing bytes', () => {
  for (const frame of frames.filter(({ kind }) => kind !== 'refusal')) {
    const encoded = encodeFrame(frame)
    for (let length = 0; length < encoded.length; length++) {
      expect(
        codeOf(() => parseFrame(encoded.slice(0, length), limit)),
        `${length}`,
      ).toBe('malformed_frame')
    }
    expect(parseFrame(Uint8Array.of(...encoded, 0), limit)).not.toEqual(frame)
  }
})

it('parseFrame returns views and does not copy', () => {
  const encoded = encodeFrame({ kind: 'event', nonce: new Uint8Array(24), box: new Uint8Array(16) })
  const frame = parseFrame(encoded, limit)
  expect(frame.kind === 'event' && frame.box.buffer).toBe(encoded.buffer)
})

it('parseFrame reads a view into a larger buffer', () => {
  const [first = { kind: 'refusal', problem: new Uint8Array(0) }] = frames
  const encoded = encodeFrame(first)
  const buffer = new Uint8Array(encoded.length + 20).fill(0x77)
  buffer.set(encoded, 7)
  expect(parseFrame(buffer.subarray(7, 7 + encoded.length), limit)).toEqual(first)
})
