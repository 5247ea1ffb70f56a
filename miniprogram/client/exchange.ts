/** One signed request through the sealed channel and back: sealed, paired, opened, verified. */

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
import { ChannelError } from './errors.ts'
import type { PreparedRequest } from './prepared-request.ts'
import { writing } from './prepared-request.ts'
import { findRefusal } from './problem.ts'
import { assertFrameFits, postFrame } from './send.ts'
import type { Session } from './session.ts'
import { verifyAnswer } from './verify-answer.ts'
import { verifying } from './verifying.ts'

interface SealedRequest {
  /** As signed: the answer's signature covers its parts. */
  readonly request: RequestMessage
  readonly nonce: Uint8Array
  readonly frame: Uint8Array
}

/**
 * Signs, seals and sends a request once, with new nonces.
 *
 * @returns the verified answer: a success, or an error of the backend's own
 * @throws ChannelError the service's refusal; for every other failure after sending an unsafe request, `outcome` is
 *   `unknown`.
 */
export async function exchange(
  environment: Environment,
  configurations: Configurations,
  session: Session,
  prepared: PreparedRequest,
): Promise<Answer> {
  const { maxFrame } = await configurations.current()
  // Signed when its turn has come: in the queue the signature would grow old.
  const { sealed, response } = await environment.queue.run(prepared.priority, async () => {
    const sealed = await seal(environment, session, prepared.message)
    assertFrameFits(sealed.frame, maxFrame)
    const sending = (): Promise<ResponseMessage> => sendSealed(environment, session, sealed, maxFrame)
    return { sealed, response: await afterSending(prepared, sending) }
  })
  const answeredAt = await afterSending(prepared, () => {
    return verifyAnswer(environment, configurations, sealed.request, response)
  })
  const refusal = findRefusal(response, prepared.isUnsafe, answeredAt)
  if (refusal !== undefined) throw refusal
  return afterSending(prepared, async () => {
    return createAnswer(sealed.request, response, answeredAt, environment.compression)
  })
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
  return writing(() => {
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
  const { wire } = session
  const answer =
    wire === undefined
      ? await postFrame(environment, sealed.frame, maxFrame)
      : await wire.post(sealed.nonce, sealed.frame)
  if (answer.kind !== 'response' || !equalBytes(answer.requestNonce, sealed.nonce)) {
    throw new ChannelError('not_verified', 'the answer belongs to another request')
  }
  return verifying(() => parseResponse(openResponse(primitives, session.keys, answer)))
}

/** Nothing but a verified answer tells that an unsafe request did not run. */
async function afterSending<T>({ isUnsafe, progress }: PreparedRequest, run: () => Promise<T>): Promise<T> {
  const { wasSent } = progress
  progress.wasSent = true
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof ChannelError) || !isUnsafe) throw error
    // The transport's own, without the status of an answer: it has sent nothing.
    if (error.code !== 'frame_too_large' || error.status !== undefined)
      throw error.with({ outcome: 'unknown' })
    progress.wasSent = wasSent
    throw error
  }
}
