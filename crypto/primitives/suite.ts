/**
 * The parameters of a protocol version: lengths in bytes and the label of every key derivation (protocol, sections 4 and
 * 10). Another suite needs another version byte; nothing is negotiated within a version.
 */
export interface Suite {
  readonly version: number
  readonly name: string
  readonly keyLength: number
  readonly boxNonceLength: number
  readonly boxTagLength: number
  readonly sessionIdLength: number
  readonly keyHintLength: number
  readonly signatureNonceLength: number
  readonly minimumPlaintext: number
  readonly labels: {
    readonly handshakeRequest: string
    readonly handshakeResponse: string
    readonly clientToService: string
    readonly serviceToClient: string
    readonly response: string
    readonly event: string
    readonly stepUp: string
  }
}

/** X25519, HKDF-SHA-256, XSalsa20-Poly1305, Ed25519, SHA-256. */
export const suite1: Suite = {
  version: 1,
  name: 'miniseal/1',
  keyLength: 32,
  boxNonceLength: 24,
  boxTagLength: 16,
  sessionIdLength: 16,
  keyHintLength: 8,
  signatureNonceLength: 16,
  minimumPlaintext: 256,
  labels: {
    handshakeRequest: 'miniseal/1 handshake request',
    handshakeResponse: 'miniseal/1 handshake response',
    clientToService: 'miniseal/1 client to service',
    serviceToClient: 'miniseal/1 service to client',
    response: 'miniseal/1 response',
    event: 'miniseal/1 event',
    stepUp: 'miniseal/1 step-up',
  },
}

/** The tags of the kinds of signature (RFC 9421, section 7.2.7). */
export const signatureTags = {
  request: 'miniseal',
  response: 'miniseal-response',
  gateway: 'miniseal-gateway',
  push: 'miniseal-push',
} as const
