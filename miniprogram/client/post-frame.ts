/** `POST /seal` over the transport. */
import type { Frame } from 'miniseal-protocol/frames/frame'
import { parseFrame } from 'miniseal-protocol/frames/frame'
import { withDeadline } from './clock.ts'
import type { Environment } from './environment.ts'
import { ChannelError, verifyOrThrow, wrapErrors } from './errors.ts'
import { clearAnswerError } from './problem.ts'
import type { TransportAnswer, TransportRequest } from './transports/transport.ts'

const frameType = 'application/vnd.miniseal'
/** Extra time for the transport to report its own timeout. */
const GRACE_MS = 2000
const isFrame = /^application\/vnd\.miniseal\s*(?:;|$)/i

/** Sends with the channel's timeout. @throws ChannelError `network` or `timeout` */
export function sendOver(
  environment: Environment,
  request: Omit<TransportRequest, 'timeoutMs'>,
): Promise<TransportAnswer> {
  const { transport, timeoutMs } = environment
  const sent = wrapErrors('network', 'the transport failed', () => transport.send({ ...request, timeoutMs }))
  // After the phone slept, `wx` may never call back.
  const onTimeout = (): ChannelError => new ChannelError('timeout', 'no answer from the transport')
  return withDeadline(sent, timeoutMs + GRACE_MS, onTimeout)
}

/** @throws ChannelError `frame_too_large` before anything is sent */
export function assertFrameFits(frame: Uint8Array, maxFrame: number): void {
  if (frame.length > maxFrame) throw new ChannelError('frame_too_large', 'request too large')
}

/**
 * Sends a frame.
 *
 * @returns the frame of the answer, attacker-controlled
 * @throws ChannelError errors of the transport, `not_verified` for a malformed frame, or the error of an unsealed
 *   answer.
 */
export async function postFrame(
  environment: Environment,
  frame: Uint8Array,
  maxFrame: number,
): Promise<Frame> {
  const answer = await sendOver(environment, {
    url: `${environment.origin}/seal`,
    method: 'POST',
    headers: { 'content-type': frameType, accept: `${frameType}, application/problem+json` },
    body: frame,
  })
  if (answer.status !== 200 || !isFrame.test(answer.headers['content-type'] ?? ''))
    throw clearAnswerError(answer)
  return verifyOrThrow(() => parseFrame(answer.body, maxFrame))
}
