/**
 * Signatures that a backend put on its answer (RFC 9421): they travel on beside the service's own, for whoever in the
 * client knows the backend's key. A label has no meaning, so one that the service needs is replaced.
 */

import { FormatError } from '../errors.ts'
import type { Field } from '../frames/binary-http.ts'
import { findField } from '../frames/binary-http.ts'
import { signatureTags } from '../primitives/suite.ts'
import { tagOf } from './signature-parameters.ts'
import { signatureLabel } from './signed-request.ts'
import type { Dictionary, InnerList, Item } from './structured-fields.ts'
import { parseDictionary, serializeDictionary } from './structured-fields.ts'

/** Characters of each field: with the service's own member it must stay readable for every client. */
const maxLength = 8192

/** Two dictionaries with the same labels, as texts. */
export interface PassedSignatures {
  readonly inputs: string
  readonly signatures: string
}

/**
 * The signatures among a backend's answer fields that go on to the client, or `undefined` when there is none.
 * Malformed fields, members without their counterpart and members with the service's own tag are left out; the label
 * `sig` becomes `upstream`. The backend is not trusted here.
 */
export function findPassedSignatures(fields: readonly Field[]): PassedSignatures | undefined {
  const inputs = readDictionary(fields, 'signature-input')
  const signatures = readDictionary(fields, 'signature')
  const keptInputs = new Map<string, Item | InnerList>()
  const keptSignatures = new Map<string, Item>()
  for (const [label, input] of inputs) {
    const signature = signatures.get(label)
    if (!isPassed(input, signature)) continue
    const free = freeLabel(label, inputs)
    keptInputs.set(free, input)
    keptSignatures.set(free, signature)
  }
  if (keptInputs.size === 0) return undefined
  const passed = { inputs: serializeDictionary(keptInputs), signatures: serializeDictionary(keptSignatures) }
  return passed.inputs.length > maxLength || passed.signatures.length > maxLength ? undefined : passed
}

function readDictionary(fields: readonly Field[], name: string): Dictionary {
  try {
    return parseDictionary(findField(fields, name) ?? '')
  } catch (error) {
    if (error instanceof FormatError) return new Map()
    throw error
  }
}

/** The client refuses two signatures with the tag of the service's answers. */
function isPassed(input: Item | InnerList, signature: Item | InnerList | undefined): signature is Item {
  if (input.kind !== 'inner-list' || tagOf(input) === signatureTags.response) return false
  return signature?.kind === 'item' && signature.value.kind === 'bytes' && signature.params.size === 0
}

function freeLabel(label: string, taken: Dictionary): string {
  if (label !== signatureLabel) return label
  let free = 'upstream'
  for (let number = 2; taken.has(free); number++) free = `upstream-${number}`
  return free
}
