/** frames.json: what parses, and what is refused before any cryptography. */
import type { Frame } from '../../../../crypto/frames/frame.ts'
import { encodeFrame } from '../../../../crypto/frames/frame.ts'
import { encodeHex } from '../../../../crypto/text.ts'
import { fixed } from '../../../unit/crypto/fixed-inputs.ts'

/** The length of the longest of {@link frames}. */
const frameLimit = 200

const nonce = fixed('nonce of a frame', 24)
/** As short as a box can be: its tag. */
const box = fixed('box of a frame', 16)

export const frames: readonly Frame[] = [
  { kind: 'handshake-request', keyHint: fixed('kid8', 8), ephemeral: fixed('e_c'), nonce, box },
  { kind: 'handshake-response', ephemeral: fixed('e_s'), nonce, box },
  { kind: 'request', sessionId: fixed('sid', 16), nonce, box },
  { kind: 'response', requestNonce: fixed('request nonce', 24), nonce, box },
  { kind: 'event', nonce, box },
  { kind: 'refusal', problem: new TextEncoder().encode('{"code":"unknown_session"}') },
  { kind: 'refusal', problem: new Uint8Array(0) },
]

/** The shortest length of each type, in bytes. */
export const shortest = { 1: 82, 2: 74, 3: 58, 4: 66, 5: 42, 15: 2 } as const

function ofLength(length: number, version: number, type: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(0x55)
  bytes.set([version, type].slice(0, length))
  return bytes
}

function refused(code: string, title: string, frame: Uint8Array) {
  return { title, code, limit: frameLimit, frame: encodeHex(frame) }
}

const malformed = (title: string, frame: Uint8Array) => refused('malformed_frame', title, frame)

const known = Object.entries(shortest).map(([type, length]) => ({ type: Number(type), length }))
const unknownTypes = [0x00, 0x06, 0x0e, 0x10, 0x11, 0x81, 0x83, 0xff]

const refusedFrames = [
  malformed('that is empty', new Uint8Array(0)),
  malformed('of its version only', Uint8Array.of(1)),
  ...[0, 2, 0x81, 255].map((version) => malformed(`of version ${version}`, ofLength(120, version, 3))),
  ...unknownTypes.map((type) => malformed(`of type ${type}`, ofLength(120, 1, type))),
  ...known
    .filter(({ length }) => length > 2)
    .flatMap(({ type, length }) => [
      malformed(`of type ${type} that ends after its type`, ofLength(2, 1, type)),
      malformed(`of type ${type} without a box`, ofLength(length - 16, 1, type)),
      malformed(`of type ${type} that is one byte short of a tag`, ofLength(length - 1, 1, type)),
    ]),
  refused('frame_too_large', 'one byte over the limit', ofLength(frameLimit + 1, 1, 3)),
  refused('frame_too_large', 'over the limit and of an unknown version', ofLength(frameLimit + 1, 9, 9)),
]

/** The names of the parts in the protocol. */
const names: Readonly<Record<string, string>> = {
  keyHint: 'kid8',
  sessionId: 'sid',
  requestNonce: 'request_nonce',
}

/** `parts` are in the order in which they follow version and type. */
export function frameVectors() {
  return {
    frames: frames.map(({ kind, ...parts }) => ({
      kind,
      limit: frameLimit,
      parts: Object.fromEntries(
        Object.entries(parts).map(([name, bytes]: [string, Uint8Array]) => {
          return [name === 'ephemeral' ? ephemeralName(kind) : (names[name] ?? name), encodeHex(bytes)]
        }),
      ),
      frame: encodeHex(encodeFrame({ kind, ...parts } as Frame)),
    })),
    refused: refusedFrames,
  }
}

function ephemeralName(kind: Frame['kind']): string {
  return kind === 'handshake-request' ? 'e_c_pub' : 'e_s_pub'
}
