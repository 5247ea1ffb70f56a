/** Verify and authorize: from a plaintext to a request of a device and its user (protocol, section 5, "Order of the checks"). */
import { ProtocolError, refuseFormat } from 'miniseal-protocol/errors'
import { findField, parseRequest, type RequestMessage } from 'miniseal-protocol/frames/binary-http'
import type { SignatureEvidence } from 'miniseal-protocol/http-signatures/gateway-signature'
import {
  assertContentDigest,
  assertInWindow,
  assertSignature,
  parseRequestSignature,
  type RequestSignature,
} from 'miniseal-protocol/http-signatures/signed-request'
import type { Primitives } from 'miniseal-protocol/primitives/primitives'
import { encodeAscii, encodeBase64Url, encodeHex } from 'miniseal-protocol/text'
import { assertPlainContent } from '../messages/content.ts'
import { atStep, atStepAsync, ProblemError } from '../problems/problem-error.ts'
import { type TokenSubject, tokenOf } from '../sessions/tokens.ts'
import type { ExchangeContext } from './context.ts'
import type { OpenedRequest } from './open.ts'
import { evidenceOf } from './request-context.ts'
import type { Routing } from './routes/route.ts'

const verified: unique symbol = Symbol('verified')

/** A request with a valid, recent signature by the device key of its session. Created by {@link verifyRequest}. */
export interface VerifiedRequest {
  readonly [verified]: true
  readonly opened: OpenedRequest
  readonly message: RequestMessage
  readonly signature: RequestSignature
  readonly evidence: SignatureEvidence
}

/** Methods about the connection or the path (RFC 9110, sections 9.3.6 and 9.3.8). TRACK is a variant of TRACE. */
const hopMethods: readonly string[] = ['CONNECT', 'TRACE', 'TRACK']
/** Content of these methods has no defined meaning (RFC 9110, section 9.3.1): HTTP stacks drop, refuse or read it. */
const methodsWithoutContent: readonly string[] = ['GET', 'HEAD']

/** @throws Refusal `payload_invalid` unless the plaintext is exactly one Binary HTTP request. */
export function parseInnerRequest(plaintext: Uint8Array): RequestMessage {
  return atStep('binary-http', () => refuseFormat('payload_invalid', () => parseRequest(plaintext)))
}

/**
 * Checks the HTTP rules that apply to logins, own routes and all backends.
 *
 * @throws Refusal `payload_invalid` for another origin, and for a method or content that HTTP stacks treat differently.
 */
export function assertHttpRules({ authority }: ExchangeContext, request: RequestMessage): void {
  atStep('binary-http', () => {
    const { method, content } = request
    if (request.scheme !== 'https' || request.authority !== authority)
      throw new ProblemError('payload_invalid', 'the request is for another origin')
    if (hopMethods.includes(method))
      throw new ProblemError('payload_invalid', `the method ${method} is not allowed`)
    if (methodsWithoutContent.includes(method) && content.length > 0)
      throw new ProblemError('payload_invalid', `a request with the method ${method} has no content`)
    assertPlainContent(request)
  })
}

/** Performs the checks without a key: form, coverage, window and digest. @throws Refusal of the first that fails. */
export function readSignature(context: ExchangeContext, message: RequestMessage): RequestSignature {
  const signature = atStep('signature', () => parseRequestSignature(message))
  atStep('window', () => assertInWindow(signature, context.now(), context.settings.window))
  atStep('digest', () => assertContentDigest(context.primitives, message))
  return signature
}

/** Verifies a request of a session. @throws Refusal of the first check that fails. */
export function verifyRequest(
  context: ExchangeContext,
  opened: OpenedRequest,
  message: RequestMessage,
): VerifiedRequest {
  const signature = readSignature(context, message)
  atStep('key', () => {
    if (signature.keyid !== opened.session.device)
      throw new ProblemError('key_unknown', 'the signing key does not belong to this session')
    if (opened.session.deviceRevokedAt !== null) throw keyRevoked()
  })
  const { devicePublicKey } = opened.session
  atStep('verify', () => assertSignedBy(context, signature, devicePublicKey))
  return { [verified]: true, opened, message, signature, evidence: evidenceOf(signature, devicePublicKey) }
}

export function keyRevoked(): ProblemError {
  return new ProblemError('key_revoked', 'the signing key was revoked')
}

/**
 * {@link assertSignature}; in development the refusal has two additional members, with which `miniseal explain` finds the
 * difference between two signature bases. Never in production.
 *
 * @throws ProtocolError `signature_invalid`.
 */
export function assertSignedBy(
  { primitives, returnsSignatureBase }: Pick<ExchangeContext, 'primitives' | 'returnsSignatureBase'>,
  signature: RequestSignature,
  publicKey: Uint8Array,
): void {
  try {
    assertSignature(primitives, signature, publicKey)
  } catch (error) {
    if (!returnsSignatureBase || !(error instanceof ProtocolError)) throw error
    const { code, message, cause } = error
    throw new ProblemError(code, message, { cause, members: baseMembers(primitives, signature.base) })
  }
}

/** `base_sha256` in hex, and `base_lengths`: the length of each component's value, in the order of the base. */
function baseMembers(primitives: Primitives, base: string): Readonly<Record<string, string>> {
  const lengths = base.split('\n').map((line) => {
    const end = line.indexOf('": ')
    return `${line.slice(1, end)}=${line.length - end - 3}`
  })
  return { base_sha256: encodeHex(primitives.sha256(encodeAscii(base))), base_lengths: lengths.join(' ') }
}

// Authorize: the access token, and its binding to the session and the key that signed (protocol, section 6).

const authorized: unique symbol = Symbol('authorized')

/** Made only by {@link authorizeRequest}. */
export interface AuthorizedRequest extends VerifiedRequest, Routing {
  readonly [authorized]: true
  readonly subject: TokenSubject
}

/** @throws Refusal `token_missing`, `token_invalid`, `token_expired` or `token_key_mismatch`. */
export async function authorizeRequest(
  context: ExchangeContext,
  request: VerifiedRequest,
  { route, policy }: Routing,
): Promise<AuthorizedRequest> {
  const { message, signature, opened } = request
  const subject = await atStepAsync('token', async () => {
    const token = tokenOf(findField(message.fields, 'authorization'))
    const claims = await context.tokens.verify(token, context.now(), policy.tokenAge)
    if (claims.device !== signature.keyid)
      throw new ProblemError('token_key_mismatch', 'the access token is bound to another key')
    if (claims.sid !== encodeBase64Url(opened.session.id) || claims.user !== opened.session.user)
      throw new ProblemError('token_invalid', 'the access token belongs to another session')
    return claims
  })
  return { ...request, [authorized]: true, subject, route, policy }
}
