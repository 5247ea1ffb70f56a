/** From an opened frame to a request whose device signature is verified (protocol, section 5, "Order of the checks"). */

import { ProtocolError, refuseFormat } from 'miniseal-protocol/errors'
import type { RequestMessage } from 'miniseal-protocol/frames/binary-http'
import { parseRequest } from 'miniseal-protocol/frames/binary-http'
import type { RequestSignature } from 'miniseal-protocol/http-signatures/signed-request'
import {
  assertContentDigest,
  assertInWindow,
  parseRequestSignature,
} from 'miniseal-protocol/http-signatures/signed-request'
import { assertPlainContent } from '../messages/content.ts'
import { atStep, ProblemError } from '../problems/problem-error.ts'
import type { ExchangeContext } from './context.ts'
import { assertSignedBy } from './explain-signature-base.ts'
import type { OpenedRequest } from './open.ts'

/** Made only by {@link verifyRequest}: its signature is by the key of its session, in time, over its very bytes. */
class Verified {
  /** Makes the type nominal, so that nothing else can pass for it. */
  readonly #made = true
  readonly opened: OpenedRequest
  readonly message: RequestMessage
  readonly signature: RequestSignature

  constructor(opened: OpenedRequest, message: RequestMessage, signature: RequestSignature) {
    this.opened = opened
    this.message = message
    this.signature = signature
  }

  static isMade(value: object): boolean {
    return #made in value && value.#made
  }
}

export type VerifiedRequest = Verified

/** Run-time proof for the next stage: a cast does not get past it. @throws Error for anything not made here. */
export function assertVerified(value: VerifiedRequest): void {
  if (!Verified.isMade(value)) throw new Error('not a verified request')
}

/** Reads the inner message. @throws Refusal `payload_invalid` when it is not exactly one Binary HTTP request. */
export function readRequest(plaintext: Uint8Array): RequestMessage {
  return atStep('binary-http', () => refuseFormat('payload_invalid', () => parseRequest(plaintext)))
}

/** @throws Refusal `payload_invalid` for a request that was made for another service. */
export function assertForUs(context: ExchangeContext, { scheme, authority }: RequestMessage): void {
  atStep('binary-http', () => {
    if (scheme === 'https' && authority === context.authority) return
    throw new ProtocolError('payload_invalid', 'the request is for another origin')
  })
}

/** About the connection and the way (RFC 9110, sections 9.3.6 and 9.3.8), never for a backend; TRACK is another TRACE. */
const hopMethods: readonly string[] = ['CONNECT', 'TRACE', 'TRACK']
/** Content means nothing with these (RFC 9110, section 9.3.1): some HTTP stacks drop it, some refuse it, some read it. */
const methodsWithoutContent: readonly string[] = ['GET', 'HEAD']

/**
 * The same for every backend and for the channel's own routes, so that nothing comes as far as a stack that fails on it.
 * @throws Refusal `payload_invalid` for a method or a content that not every HTTP stack takes, or no own route.
 */
export function assertPassable(request: RequestMessage): void {
  const { method, content } = request
  atStep('binary-http', () => {
    if (hopMethods.includes(method))
      throw new ProtocolError('payload_invalid', `a request with the method ${method} is not taken`)
    if (methodsWithoutContent.includes(method) && content.length > 0)
      throw new ProtocolError('payload_invalid', `a request with the method ${method} has no content`)
    assertPlainContent(request)
  })
}

/** Form, coverage, window and digest: all that can be checked before the key is known. */
export function readSignature(context: ExchangeContext, message: RequestMessage): RequestSignature {
  const signature = atStep('signature', () => parseRequestSignature(message))
  atStep('window', () => assertInWindow(signature, context.now(), context.settings.window))
  atStep('digest', () => assertContentDigest(context.primitives, message))
  return signature
}

/**
 * Verifies a request of a session.
 *
 * @throws Refusal with the code of the first check that fails.
 */
export function verifyRequest(
  context: ExchangeContext,
  opened: OpenedRequest,
  message: RequestMessage,
): VerifiedRequest {
  const signature = readSignature(context, message)
  atStep('key', () => {
    if (signature.keyid !== opened.session.device) {
      throw new ProtocolError('key_unknown', 'the signing key is not the one of this session')
    }
    if (opened.session.deviceRevokedAt !== null) throw keyRevoked()
  })
  atStep('verify', () => assertSignedBy(context, signature, opened.session.devicePublicKey))
  return new Verified(opened, message, signature)
}

/** The refusal of a device that was revoked: here, or where it shows only when the request is claimed. */
export function keyRevoked(): ProblemError {
  return new ProblemError('key_revoked', 'the signing key was revoked')
}
