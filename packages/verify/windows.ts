/** How far `created` of a signature may lie from the verifier's clock. */
import type { SignatureWindow } from 'miniseal-protocol/http-signatures/signed-request'

/** The window in which the service accepts signatures of devices and pushing backends. */
export const serviceWindow: SignatureWindow = { past: 120, future: 10 }

/** The window in which a backend accepts signatures of devices: that of the service plus latency. */
export const deviceWindow: SignatureWindow = { past: 130, future: 20 }

/** The window in which a backend accepts signatures of the gateway, which signs when it forwards. */
export const gatewayWindow: SignatureWindow = { past: 60, future: 20 }
