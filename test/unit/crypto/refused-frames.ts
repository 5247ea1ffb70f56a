/** Frames by their outer form: what parses, and what is refused before any cryptography. */
import type { Frame } from '../../../crypto/frames/frame.ts'
import { fixed } from './fixed-inputs.ts'

/** The smallest limit that all of {@link frames} keep. */
export const frameLimit = 200

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

export interface RefusedFrame {
  readonly title: string
  readonly code: string
  readonly frame: Uint8Array
  readonly limit: number
}

function ofLength(length: number, version: number, type: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(0x55)
  bytes.set([version, type].slice(0, length))
  return bytes
}

function malformed(title: string, frame: Uint8Array): RefusedFrame {
  return { title, code: 'malformed_frame', frame, limit: frameLimit }
}

const known = Object.entries(shortest).map(([type, length]) => ({ type: Number(type), length }))
const unknownTypes = [0x00, 0x06, 0x0e, 0x10, 0x11, 0x81, 0x83, 0xff]

export const refusedFrames: readonly RefusedFrame[] = [
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
  {
    title: 'one byte over the limit',
    code: 'frame_too_large',
    frame: ofLength(frameLimit + 1, 1, 3),
    limit: frameLimit,
  },
  {
    title: 'over the limit and of an unknown version',
    code: 'frame_too_large',
    frame: ofLength(frameLimit + 1, 9, 9),
    limit: frameLimit,
  },
]
