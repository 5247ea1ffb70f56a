/** One exchange: sign, seal, send, open and verify. */

import { equalBytes } from 'miniseal-protocol/bytes'
import type { RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { encodeRequest, parseResponse } from 'miniseal-protocol/frames/binary-http'
import { padMessage } from 'miniseal-protocol/frames/padding'
import { openResponse, sealRequest } from 'miniseal-protocol/frames/session-keys'
import { signRequest } from 'miniseal-protocol/http-signatures/signed-request'
import { suite1 } from 'miniseal-protocol/primitives/suite'
import type { Answer } from './answer.ts'
import { createAnswer } from './answer.ts'
import type { Configurations } from './configurations.ts'
import type { Environment } from './environment.ts'
import { ChannelError, encodeOrThrow, verifyOrThrow } from './errors.ts'
import { assertFrameFits, postFrame } from './post-frame.ts'
import type { PreparedRequest } from './prepared-request.ts'
import { findRefusal } from './problem.ts'
import type { Session } from './session.ts'

interface SealedRequest {
  /** The signed request, which the signature of the answer covers too. */
  readonly request: RequestMessage
  readonly nonce: Uint8Array
  readonly frame: Uint8Array
}

/**
 * Signs, seals and sends a request once, with new nonces.
 *
 * @returns the verified answer: a success, or an error of the backend
 * @throws ChannelError the service's refusal. `outcome` is `unknown` for any other failure after an unsafe request
 *   was sent.
 */
export async function exchange(
  environment: Environment,
  configurations: Configurations,
  session: Session,
  prepared: PreparedRequest,
): Promise<Answer> {
  const { maxFrame } = await configurations.current()
  // Sign after queueing, because signatures expire.
  const { request, response } = await environment.queue.run(prepared.priority, async () => {
    const sealed = await seal(environment, session, prepared.message)
    assertFrameFits(sealed.frame, maxFrame)
    const response = await afterSending(prepared, () => sendSealed(environment, session, sealed, maxFrame))
    return { request: sealed.request, response }
  })
  const result = await afterSending(prepared, async () => {
    const answeredAt = await configurations.verify(request, response)
    return (
      findRefusal(response, prepared.isUnsafe, answeredAt) ??
      createAnswer(request, response, answeredAt, environment.compression)
    )
  })
  if (result instanceof ChannelError) throw result
  return result
}

async function seal(
  environment: Environment,
  session: Session,
  message: RequestMessage,
): Promise<SealedRequest> {
  const { clock, random } = environment
  const primitives = await environment.loadPrimitives()
  await random.ready()
  const signatureNonce = random.take(suite1.signatureNonceLength)
  const nonce = random.take(suite1.boxNonceLength)
  return encodeOrThrow(() => {
    const fields = [...message.fields, ['authorization', `HTTPSig ${session.token}`] as const]
    const request = signRequest(
      primitives,
      { ...message, fields },
      session.device,
      clock.seconds(),
      signatureNonce,
    )
    const plaintext = padMessage(encodeRequest(request))
    return { request, nonce, frame: sealRequest(primitives, session.keys, session.id, nonce, plaintext) }
  })
}

async function sendSealed(
  environment: Environment,
  session: Session,
  sealed: SealedRequest,
  maxFrame: number,
): Promise<ResponseMessage> {
  const primitives = await environment.loadPrimitives()
  const { socket } = session
  const answer =
    socket === undefined
      ? await postFrame(environment, sealed.frame, maxFrame)
      : await socket.post(sealed.nonce, sealed.frame)
  if (answer.kind !== 'response' || !equalBytes(answer.requestNonce, sealed.nonce)) {
    throw new ChannelError('not_verified', 'answer to another request')
  }
  return verifyOrThrow(() => parseResponse(openResponse(primitives, session.keys, answer)))
}

/** Only a verified answer proves that an unsafe request was not executed. After any other failure its outcome is unknown. */
async function afterSending<T>({ isUnsafe, progress }: PreparedRequest, run: () => Promise<T>): Promise<T> {
  const { wasSent } = progress
  progress.wasSent = true
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof ChannelError) || !isUnsafe) throw error
    // `frame_too_large` without a status is the transport's own limit: nothing was sent.
    if (error.code !== 'frame_too_large' || error.status !== undefined)
      throw error.with({ outcome: 'unknown' })
    progress.wasSent = wasSent
    throw error
  }
}
