/**
 * Members of `signature-input` and `signature` (RFC 9421, section 4) and the parameters that the protocol allows,
 * read strictly. Everything here is attacker-controlled.
 */
import { ProtocolError } from '../errors.ts'
import type { InnerList, Item } from './structured-fields.ts'

/** The 64 bytes of a member of `signature`. @throws ProtocolError `signature_missing` or `signature_malformed`. */
export function signatureBytes(member: Item | InnerList | undefined): Uint8Array {
  if (member === undefined) throw new ProtocolError('signature_missing', 'the signature field lacks sig')
  if (member.kind !== 'item' || member.value.kind !== 'bytes' || member.params.size > 0) {
    throw new ProtocolError('signature_malformed', 'the signature is not a byte sequence')
  }
  if (member.value.value.length !== 64)
    throw new ProtocolError('signature_malformed', 'the signature is not 64 bytes')
  return member.value.value
}

/** The parameter `tag`, where it is a string. */
export function tagOf(member: Item | InnerList): string | undefined {
  const tag = member.params.get('tag')
  return tag?.kind === 'string' ? tag.value : undefined
}

/** @throws ProtocolError `alg_not_allowed`, or `signature_malformed` for any but `created`, `nonce`, `keyid`, `tag`. */
export function assertParameterNames(input: InnerList): void {
  if (input.params.has('alg'))
    throw new ProtocolError('alg_not_allowed', 'the algorithm is fixed by the version')
  for (const name of input.params.keys()) {
    if (!['created', 'nonce', 'keyid', 'tag'].includes(name)) {
      throw new ProtocolError('signature_malformed', 'unknown signature parameter')
    }
  }
}

/** A time in UNIX seconds. @throws ProtocolError `signature_malformed`. */
export function integerParameter(input: InnerList, name: string): number {
  const value = input.params.get(name)
  if (value?.kind !== 'integer' || value.value < 0) {
    throw new ProtocolError('signature_malformed', `the parameter ${name} is not a time`)
  }
  return value.value
}

/** @throws ProtocolError `signature_malformed`. */
export function stringParameter(input: InnerList, name: string): string {
  const value = input.params.get(name)
  if (value?.kind !== 'string')
    throw new ProtocolError('signature_malformed', `the parameter ${name} is not a string`)
  return value.value
}
