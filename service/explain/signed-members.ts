/** The signatures that a message carries, found as loosely as possible: what is wrong with them is said later. */

import { FormatError } from 'miniseal-protocol/errors'
import type { Field } from 'miniseal-protocol/frames/binary-http'
import { tagOf } from 'miniseal-protocol/http-signatures/signature-profile'
import type { Dictionary, InnerList } from 'miniseal-protocol/http-signatures/structured-fields'
import { parseDictionary } from 'miniseal-protocol/http-signatures/structured-fields'
import { signatureTags } from 'miniseal-protocol/primitives/suite'

export type SignatureKind = 'device' | 'gateway' | 'push' | 'response'

export interface SignedMember {
  readonly kind: SignatureKind
  readonly label: string
  readonly input: InnerList
  /** 64 bytes; `undefined` when there are none under this label. */
  readonly signature: Uint8Array | undefined
}

export interface SignedMembers {
  readonly members: readonly SignedMember[]
  /** Why a field cannot be read: field name and reason. */
  readonly fault?: string
}

const kindOfTag: ReadonlyMap<string, SignatureKind> = new Map([
  [signatureTags.request, 'device'],
  [signatureTags.gateway, 'gateway'],
  [signatureTags.push, 'push'],
  [signatureTags.response, 'response'],
])

/** @param isResponse whose label `sig` is the service's */
export function findSigned(fields: readonly Field[], isResponse: boolean): SignedMembers {
  const read = (name: string): Dictionary | string => {
    try {
      return parseDictionary(fields.find(([other]) => other === name)?.[1] ?? '')
    } catch (error) {
      if (error instanceof FormatError) return `${name}: ${error.message}`
      throw error
    }
  }
  const inputs = read('signature-input')
  const signatures = read('signature')
  if (typeof inputs === 'string') return { members: [], fault: inputs }
  if (typeof signatures === 'string') return { members: [], fault: signatures }
  const members = [...inputs].flatMap(([label, input]): SignedMember[] => {
    if (input.kind !== 'inner-list') return []
    const kind = kindOfTag.get(tagOf(input) ?? '') ?? kindOfLabel(label, isResponse)
    if (kind === undefined || (kind === 'response') !== isResponse) return []
    const member = signatures.get(label)
    const isBytes =
      member?.kind === 'item' && member.value.kind === 'bytes' && member.value.value.length === 64
    const signature = isBytes && member.value.kind === 'bytes' ? member.value.value : undefined
    return [{ kind, label, input, signature }]
  })
  return { members }
}

/** A signature with a wrong tag, or none, is still the one that somebody meant. */
function kindOfLabel(label: string, isResponse: boolean): SignatureKind | undefined {
  if (isResponse) return label === 'sig' ? 'response' : undefined
  const known: ReadonlyMap<string, SignatureKind> = new Map([
    ['sig', 'device'],
    ['gateway', 'gateway'],
    ['push', 'push'],
  ])
  return known.get(label)
}
