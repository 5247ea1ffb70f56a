/** gateway.json: requests as they reach a backend behind the gateway, and the verdict on each. */
import { device, fixed, now, service, stranger } from '../../../unit/crypto/fixed-inputs.ts'
import { gatewayCases, gatewayKeySets } from './gateway-cases.ts'
import type { GatewayWorld } from './gateway-requests.ts'
import { app, session, signerFrom, user } from './gateway-requests.ts'
import type { JsonRequest } from './json.ts'
import { jsonRequest } from './json.ts'

/** The world of the file. */
const sandboxState: GatewayWorld = {
  origin: 'https://pay.example.com',
  now,
  keys: {
    device,
    stranger,
    message: service,
    token: signerFrom(fixed('token key')),
    unmarked: signerFrom(fixed('key without a purpose')),
  },
  nonce: (name) => fixed(name, 16),
}

interface JudgedRequest extends Omit<JsonRequest, 'scheme' | 'authority'> {
  readonly title: string
  readonly code: string | null
}

export function gatewayVectors() {
  const { token_keys, message_keys } = gatewayKeySets(sandboxState)
  return {
    origin: sandboxState.origin,
    now,
    token_keys,
    message_keys,
    caller: { user, device: device.keyid, session, app },
    requests: gatewayCases(sandboxState).map(({ title, code, request }): JudgedRequest => {
      const { method, path, fields, content } = jsonRequest(request)
      const host = ['host', request.authority] as const
      return { title, code: code ?? null, method, path, fields: [host, ...fields], content }
    }),
  }
}
