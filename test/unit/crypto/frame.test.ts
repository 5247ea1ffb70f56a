import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
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

describe('parseFrame', () => {
  it('inverts encodeFrame', () => {
    fc.assert(
      fc.property(anyFrame, (frame) => {
        expect(parseFrame(encodeFrame(frame), limit)).toEqual(frame)
      }),
    )
  })

  it('reads nothing but what encodeFrame writes, whatever the bytes', () => {
    const likely = fc
      .tuple(fc.constantFrom(0, 1, 2), fc.nat(16), fc.uint8Array({ maxLength: 120 }))
      .map(([version, type, rest]) => Uint8Array.of(version, type, ...rest))
    fc.assert(
      fc.property(fc.oneof(likely, fc.uint8Array()), (input) => {
        let frame: Frame | undefined
        const code = codeOf(() => {
          frame = parseFrame(input, limit)
        })
        if (frame === undefined) expect(code).toBe('malformed_frame')
        else expect(encodeFrame(frame)).toEqual(input)
      }),
      { numRuns: 500 },
    )
  })

  it('reads the shortest frame of every type of the protocol', () => {
    expect(frames.map((frame) => encodeFrame(frame)[1])).toEqual([0x01, 0x02, 0x03, 0x04, 0x05, 0x0f, 0x0f])
    const sealed = frames.filter(({ kind }) => kind !== 'refusal')
    expect(sealed.map((frame) => encodeFrame(frame).length)).toEqual(Object.values(shortest).slice(0, -1))
  })

  it('reads a frame of exactly the limit', () => {
    const frame = encodeFrame({ kind: 'event', nonce: new Uint8Array(24), box: new Uint8Array(74) })
    expect(frame).toHaveLength(100)
    expect(codeOf(() => parseFrame(frame, 100))).toBeUndefined()
    expect(codeOf(() => parseFrame(frame, 99))).toBe('frame_too_large')
  })

  it('refuses every frame that is cut short, and reads no longer one as the same', () => {
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

  it('gives views, so that nothing is copied before the box is opened', () => {
    const encoded = encodeFrame({ kind: 'event', nonce: new Uint8Array(24), box: new Uint8Array(16) })
    const frame = parseFrame(encoded, limit)
    expect(frame.kind === 'event' && frame.box.buffer).toBe(encoded.buffer)
  })

  it('reads a view into a longer buffer from its own beginning', () => {
    const [first = { kind: 'refusal', problem: new Uint8Array(0) }] = frames
    const encoded = encodeFrame(first)
    const buffer = new Uint8Array(encoded.length + 20).fill(0x77)
    buffer.set(encoded, 7)
    expect(parseFrame(buffer.subarray(7, 7 + encoded.length), limit)).toEqual(first)
  })
})
