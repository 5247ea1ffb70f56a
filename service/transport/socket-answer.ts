/** What goes back over a socket for one frame. */
import type { Frame } from 'miniseal-protocol/frames/frame'
import { encodeFrame } from 'miniseal-protocol/frames/frame'
import { encodeBase64Url, encodeUtf8 } from 'miniseal-protocol/text'
import type { ExchangeAnswer } from '../channel/exchange.ts'

/**
 * A sealed frame as it is, or frame 0x0f. That one says by `request_nonce` which frame it is about, since several may be
 * at work; like everything in it this is a hint.
 *
 * @param frame the one that is answered; absent where the bytes were none
 */
export function messageOf(answer: ExchangeAnswer, frame: Frame | undefined): Uint8Array {
  if (answer.kind === 'frame') return answer.bytes
  const members = JSON.parse(answer.problem.body) as Record<string, unknown>
  const about = frame !== undefined && 'nonce' in frame ? { request_nonce: encodeBase64Url(frame.nonce) } : {}
  return encodeFrame({ kind: 'refusal', problem: encodeUtf8(JSON.stringify({ ...members, ...about })) })
}

/** Whether nothing more is to be expected from who sent this. */
export function isFatal(answer: ExchangeAnswer): boolean {
  return answer.kind === 'clear' && ['malformed_frame', 'frame_too_large'].includes(answer.problem.code)
}
