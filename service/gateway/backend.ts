/** A backend: what answers a verified request that is not the channel's own. */

import type { RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import type { RouteState } from './upstream-faults.ts'

/** Who asks, as the channel has proved it. */
export interface Caller {
  /** The pseudonymous subject. */
  readonly user: string
  /** Thumbprint of the device key. */
  readonly device: string
  /** b64u of the session id. */
  readonly session: string
  readonly appid: string
  /** How the user was confirmed for this request: `session`, or `soter` after a biometric confirmation. */
  readonly acr: 'session' | 'soter'
  readonly signature: SignatureEvidence
}

/** The device's signature over this request: what proves it to somebody else. */
export interface SignatureEvidence {
  readonly keyid: string
  /** The device's Ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array
  /** The exact text that was signed (RFC 9421, section 2.5). */
  readonly base: string
  readonly signature: Uint8Array
  /** UNIX seconds, by the device's clock. */
  readonly created: number
}

export interface Backend {
  /**
   * Whether it promises, for requests like this one, that those of one user with one Idempotency-Key have one effect and
   * the same answer, also when they come at the same time. Then a request that was lost in a crash is run again when the
   * client repeats it. Absent: it promises nothing.
   */
  isIdempotent?(request: RequestMessage): boolean
  /**
   * Answers a request. The nonce is durable by now; whatever the backend does is its own.
   *
   * @throws ProblemError `not_found`, `upstream_unavailable` (with the effect `none` where the backend certainly never saw
   *   the request), `step_up_required`, or the backend's own; any other error becomes `internal`.
   */
  answer(request: RequestMessage, caller: Caller): Promise<ResponseMessage>
  /**
   * The route that a request takes, by a name from a closed set: one that hangs leaves room for the others. Absent: the
   * first segment of its path.
   */
  routeOf?(request: RequestMessage): string | undefined
  /**
   * What the user is shown when not this backend but the channel wants a request confirmed. Absent, or `undefined`: its
   * method and path.
   */
  summaryOf?(request: RequestMessage): string | undefined
  /** How its routes are now, where it has routes. */
  routes?(): readonly RouteState[]
  close(): Promise<void>
}
