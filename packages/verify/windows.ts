/** How far `created` of a signature may lie from the verifier's clock. */
import type { SignatureWindow } from 'miniseal-protocol/http-signatures/signed-request'

/** What the service accepts of devices and of pushing backends. */
export const serviceWindow: SignatureWindow = { past: 120, future: 10 }

/** What a backend accepts of devices: as the service, plus the time on the way to the backend. */
export const deviceWindow: SignatureWindow = { past: 130, future: 20 }

/** What a backend accepts of the gateway, which signs when it forwards. */
export const gatewayWindow: SignatureWindow = { past: 60, future: 20 }
