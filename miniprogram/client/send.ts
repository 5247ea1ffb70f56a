/** One request over the transport, and the frame in its answer. */
import type { Frame } from 'miniseal-protocol/frames/frame'
import { parseFrame } from 'miniseal-protocol/frames/frame'
import type { Environment } from './environment.ts'
import { ChannelError, failWith } from './errors.ts'
import { clearAnswerError } from './problem.ts'
import { withDeadline } from './timers.ts'
import type { TransportAnswer, TransportRequest } from './transports/transport.ts'
import { verifying } from './verifying.ts'

const frameType = 'application/vnd.miniseal'
/** Given to the transport to notice the end of its time by itself. */
const GRACE_MS = 2000
const isFrame = /^application\/vnd\.miniseal\s*(?:;|$)/i

/** Sends with the channel's deadline. @throws ChannelError `network` or `timeout`. */
export function sendOver(
  environment: Environment,
  request: Omit<TransportRequest, 'timeoutMs'>,
): Promise<TransportAnswer> {
  const { transport, timeoutMs } = environment
  const sent = failWith('network', 'the transport failed', () => transport.send({ ...request, timeoutMs }))
  // A phone that slept may never call back.
  const late = (): ChannelError => new ChannelError('timeout', 'the transport never answered')
  return withDeadline(sent, timeoutMs + GRACE_MS, late)
}

/** @throws ChannelError `frame_too_large` when the service would not read it; nothing has been sent then. */
export function assertFrameFits(frame: Uint8Array, maxFrame: number): void {
  if (frame.length > maxFrame) throw new ChannelError('frame_too_large', 'the request is over the size limit')
}

/**
 * `POST /seal`.
 *
 * @returns the frame of the answer, attacker-controlled
 * @throws ChannelError those of the transport, `not_verified` for bytes that are no frame, and for an answer in the
 *   clear what it suggests.
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
  return verifying(() => parseFrame(answer.body, maxFrame))
}
