/**
 * A backend's signature on a request that pushes an event (`docs/guides/integration.md`; RFC 9421).
 *
 * ```
 * signature-input: push=("@method" "@authority" "@path" "content-type" "content-digest" "idempotency-key");created=…;nonce="…";keyid="…";tag="miniseal-push"
 * ```
 * `idempotency-key` where it is present. The label is free, and so is the order of the components.
 */

import { ProtocolError, refuseFormat } from '../errors.ts'
import type { RequestMessage } from '../frames/binary-http.ts'
import { findField } from '../frames/binary-http.ts'
import { signatureTags, suite1 } from '../primitives/suite.ts'
import { decodeBase64Url } from '../text.ts'
import { signatureBase } from './signature-base.ts'
import {
  assertParameterNames,
  integerParameter,
  signatureBytes,
  stringParameter,
  tagOf,
} from './signature-parameters.ts'
import type { RequestSignature } from './signed-request.ts'
import type { InnerList } from './structured-fields.ts'
import { parseDictionary } from './structured-fields.ts'

const alwaysCovered: readonly string[] = ['@method', '@authority', '@path', 'content-type', 'content-digest']

/**
 * Reads the signature of an attacker-controlled request and checks its form, tag, coverage and parameters. `keyid` is
 * the name of the backend's key.
 *
 * @throws ProtocolError `signature_missing`, `signature_malformed`, `alg_not_allowed` or `components_incomplete`.
 */
export function parsePushSignature(message: RequestMessage): RequestSignature {
  const { input, signature } = findTagged(message)
  assertParameterNames(input)
  const created = integerParameter(input, 'created')
  const nonce = refuseFormat('signature_malformed', () => decodeBase64Url(stringParameter(input, 'nonce')))
  if (nonce.length !== suite1.signatureNonceLength)
    throw new ProtocolError('signature_malformed', 'the nonce must be 16 bytes')
  const keyid = stringParameter(input, 'keyid')
  assertCoverage(input, message)
  const base = refuseFormat('components_incomplete', () => signatureBase(input, { request: message }))
  return { created, nonce, keyid, base, signature }
}

function findTagged(message: RequestMessage): { input: InnerList; signature: Uint8Array } {
  const inputText = findField(message.fields, 'signature-input')
  const signatureText = findField(message.fields, 'signature')
  if (inputText === undefined || signatureText === undefined)
    throw new ProtocolError('signature_missing', 'the request carries no signature')
  const inputs = refuseFormat('signature_malformed', () => parseDictionary(inputText))
  const signatures = refuseFormat('signature_malformed', () => parseDictionary(signatureText))
  const tagged = [...inputs].filter(([, member]) => tagOf(member) === signatureTags.push)
  const [only, ...more] = tagged
  if (only === undefined)
    throw new ProtocolError('signature_missing', 'no signature has the tag miniseal-push')
  if (more.length > 0) throw new ProtocolError('signature_malformed', 'two signatures carry the tag')
  const [label, input] = only
  if (input.kind !== 'inner-list')
    throw new ProtocolError('signature_malformed', 'the signature input is not an inner list')
  return { input, signature: signatureBytes(signatures.get(label)) }
}

/** These components, each once (the base refuses a repetition), without parameters, and no others. */
function assertCoverage(input: InnerList, message: RequestMessage): void {
  const hasKey = findField(message.fields, 'idempotency-key') !== undefined
  const required = hasKey ? [...alwaysCovered, 'idempotency-key'] : alwaysCovered
  const isExact =
    input.items.length === required.length &&
    input.items.every(({ value, params }) => {
      return value.kind === 'string' && required.includes(value.value) && params.size === 0
    })
  if (!isExact)
    throw new ProtocolError('components_incomplete', `the signature must cover: ${required.join(' ')}`)
}
