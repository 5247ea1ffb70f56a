/** configuration.json: channel configurations and the verdict on each. */
import { decodeBase64Url, decodeUtf8, encodeHex } from '../../../../crypto/text.ts'
import { root } from '../../../unit/crypto/fixed-inputs.ts'
import type { JudgedConfiguration } from '../../../unit/crypto/refused-configurations.ts'
import {
  acceptedConfigurations,
  jws,
  refusedConfigurations,
} from '../../../unit/crypto/refused-configurations.ts'
import type { JsonSigner } from './signed-messages.ts'
import { jsonSigner } from './signed-messages.ts'

interface Judged {
  readonly title: string
  readonly code: string | null
  /** The clock of the client, UNIX seconds. */
  readonly now: number
  readonly jws: string
}

export interface ConfigurationVectors {
  /** The one pinned key. */
  readonly root: JsonSigner
  /** The texts inside the first accepted JWS, before base64url. */
  readonly header: string
  readonly payload: string
  /** Hex. */
  readonly signature: string
  readonly accepted: readonly Judged[]
  readonly refused: readonly Judged[]
}

export function configurationVectors(): ConfigurationVectors {
  const [header = '', payload = '', signature = ''] = jws.split('.')
  return {
    root: jsonSigner(root),
    header: decodeUtf8(decodeBase64Url(header)),
    payload: decodeUtf8(decodeBase64Url(payload)),
    signature: encodeHex(decodeBase64Url(signature)),
    accepted: acceptedConfigurations.map(judged),
    refused: refusedConfigurations.map(judged),
  }
}

function judged({ title, code, now, jws: text }: JudgedConfiguration): Judged {
  return { title, code: code ?? null, now, jws: text }
}
