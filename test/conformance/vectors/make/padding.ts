/** padding.json: padded lengths, and bytes that must not follow a message. */
import { encodeRequest } from '../../../../crypto/frames/binary-http.ts'
import { paddedLength, padMessage } from '../../../../crypto/frames/padding.ts'
import { encodeHex } from '../../../../crypto/text.ts'
import { flipped, unsigned } from '../../../unit/crypto/fixed-inputs.ts'

const edges = [0, 1, 255, 256, 257, 272, 273, 288, 289, 1000, 100000, 1048576]
const powers = [9, 10, 11, 12, 13, 14, 15, 16, 17, 20, 24, 30].map((exponent) => 2 ** exponent)
const overrides = powers.flatMap((power) => [power - 1, power, power + 1])

/** `lengths` are those of a message and of its plaintext, in bytes. `tolerated` requests read as `message`; no writer makes them. */
export function paddingVectors() {
  const lengths = [...new Set([...edges, ...overrides])].sort((a, b) => a - b)
  const short = encodeRequest(unsigned.read)
  const long = encodeRequest({ ...unsigned.transfer, content: new Uint8Array(250).fill(0x61) })
  const hex = encodeHex
  return {
    lengths: lengths.map((length) => [length, paddedLength(length)] as const),
    messages: [
      { title: 'a message under 256 bytes', message: hex(short), padded: hex(padMessage(short)) },
      { title: 'a message over 256 bytes', message: hex(long), padded: hex(padMessage(long)) },
    ],
    tolerated: [
      { title: 'no padding', message: hex(short), padded: hex(short) },
      { title: 'one zero', message: hex(short), padded: hex(Uint8Array.of(...short, 0)) },
      {
        title: 'more zeros than Padmé',
        message: hex(short),
        padded: hex(Uint8Array.of(...short, ...new Uint8Array(700))),
      },
    ],
    refused: [
      ['one byte that is not zero', Uint8Array.of(...short, 1)],
      ['a last byte that is not zero', flipped(padMessage(short), 255)],
      ['a first byte that is not zero', flipped(padMessage(short), short.length, 7)],
      ['0x80 and zeros, as ISO 7816-4 pads', Uint8Array.of(...short, 0x80, ...new Uint8Array(20))],
      ['a second message', Uint8Array.of(...short, ...short)],
    ].map(([title, padded]) => ({
      title: `padding of ${String(title)}`,
      code: 'payload_invalid',
      padded: hex(padded as Uint8Array),
    })),
  }
}
