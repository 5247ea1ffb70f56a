/** refusals.json: signed messages and the verdict on each; `code` is null where it must be accepted. */
import { encodeRequest, encodeResponse } from '../../../../crypto/frames/binary-http.ts'
import { encodeHex } from '../../../../crypto/text.ts'
import { device, now, serviceKeys, window } from '../../../unit/crypto/fixed-inputs.ts'
import { encodeWithAnyPath } from '../../../unit/crypto/handmade-encoding.ts'
import type { JudgedRequest } from '../../../unit/crypto/refused-requests.ts'
import {
  acceptedRequests,
  refusedRequests,
  requestsOfOtherPaths,
} from '../../../unit/crypto/refused-requests.ts'
import type { JudgedResponse } from '../../../unit/crypto/refused-responses.ts'
import { acceptedResponses, refusedResponses } from '../../../unit/crypto/refused-responses.ts'

interface Judged {
  readonly title: string
  readonly code: string | null
  /** Hex: the message in Binary HTTP, not padded. */
  readonly encoded: string
}

export interface RefusalVectors {
  /** The clock of the service, UNIX seconds. */
  readonly now: number
  readonly window: { readonly past: number; readonly future: number }
  readonly device: { readonly keyid: string; readonly public_key: string }
  readonly requests: readonly Judged[]
  /** What the client knows from the configuration. */
  readonly service_keys: readonly { readonly kid: string; readonly public_key: string }[]
  /** `request` is the signed request that the client sent, encoded likewise. */
  readonly responses: readonly (Judged & { readonly request: string })[]
}

export function refusalVectors(): RefusalVectors {
  return {
    now,
    window,
    device: { keyid: device.keyid, public_key: encodeHex(device.publicKey) },
    requests: [...acceptedRequests, ...refusedRequests, ...requestsOfOtherPaths].map(judgedRequest),
    service_keys: serviceKeys.map(({ kid, publicKey }) => ({ kid, public_key: encodeHex(publicKey) })),
    responses: [...acceptedResponses, ...refusedResponses].map(judgedResponse),
  }
}

function judgedRequest({ title, code, message }: JudgedRequest): Judged {
  return { title, code: code ?? null, encoded: encodeHex(encodeWithAnyPath(message)) }
}

function judgedResponse({ title, code, message, request }: JudgedResponse): Judged & { request: string } {
  const sent = encodeHex(encodeRequest(request))
  return { title, code: code ?? null, encoded: encodeHex(encodeResponse(message)), request: sent }
}
