/** frames.json: the outer form of frames. */
import type { Frame } from '../../../../crypto/frames/frame.ts'
import { encodeFrame } from '../../../../crypto/frames/frame.ts'
import { encodeHex } from '../../../../crypto/text.ts'
import { frameLimit, frames, refusedFrames } from '../../../unit/crypto/refused-frames.ts'

export interface FrameVectors {
  /** `parts` in the order in which they stand behind version and type. */
  readonly frames: readonly {
    readonly kind: Frame['kind']
    readonly limit: number
    readonly parts: Readonly<Record<string, string>>
    readonly frame: string
  }[]
  readonly refused: readonly {
    readonly title: string
    readonly code: string
    readonly limit: number
    readonly frame: string
  }[]
}

/** The names of the parts in the protocol. */
const names: Readonly<Record<string, string>> = {
  keyHint: 'kid8',
  sessionId: 'sid',
  requestNonce: 'request_nonce',
}

export function frameVectors(): FrameVectors {
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
    refused: refusedFrames.map(({ title, code, frame, limit }) => ({
      title,
      code,
      limit,
      frame: encodeHex(frame),
    })),
  }
}

function ephemeralName(kind: Frame['kind']): string {
  return kind === 'handshake-request' ? 'e_c_pub' : 'e_s_pub'
}
