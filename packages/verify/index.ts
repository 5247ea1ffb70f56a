/** Verifies requests that the Miniseal gateway forwards to a Node backend. */
export { ProtocolError } from 'miniseal-protocol/errors'
export type { Caller, SignatureEvidence } from 'miniseal-protocol/http-signatures/gateway-signature'
export type { JsonWebKeySet, KeySource } from './keys.ts'
export type { ExplainedRefusal, NodeRequest, Verifier, VerifierOptions } from './verify.ts'
export { createVerifier } from './verify.ts'
