/**
 * Content-Digest (RFC 9530) with SHA-256, the only algorithm of suite 1.
 *
 * The digest is over the content as sent, after content-encoding. A signature over the field covers the content only after
 * {@link verifyContentDigest} has returned true.
 */
import { equalBytes } from '../bytes.ts'
import { FormatError, ProtocolError, refuseFormat } from '../errors.ts'
import type { RequestMessage } from '../frames/binary-http.ts'
import { findField } from '../frames/binary-http.ts'
import type { Primitives } from '../primitives/primitives.ts'
import { parseDictionary, serializeDictionary } from './structured-fields.ts'

const ALGORITHM = 'sha-256'
/** Bytes of a SHA-256 digest. */
const DIGEST_LENGTH = 32

/** The field value for `content`: `sha-256=:…:`. */
export function contentDigest(primitives: Pick<Primitives, 'sha256'>, content: Uint8Array): string {
  const digest = { kind: 'bytes', value: primitives.sha256(content) } as const
  return serializeDictionary(new Map([[ALGORITHM, { kind: 'item', value: digest, params: new Map() }]]))
}

/**
 * Whether `field` is the digest of `content`; compared in constant time. Both are attacker-controlled.
 * @throws FormatError unless `field` is exactly one `sha-256` digest: no algorithm may be left unchecked.
 */
export function verifyContentDigest(
  primitives: Pick<Primitives, 'sha256'>,
  field: string,
  content: Uint8Array,
): boolean {
  return equalBytes(parseDigest(field), primitives.sha256(content))
}

function parseDigest(field: string): Uint8Array {
  const members = parseDictionary(field)
  const member = members.get(ALGORITHM)
  if (member === undefined || members.size !== 1) throw new FormatError('unsupported digest algorithm')
  if (member.kind !== 'item' || member.value.kind !== 'bytes' || member.params.size !== 0) {
    throw new FormatError('digest is not a plain byte sequence')
  }
  if (member.value.value.length !== DIGEST_LENGTH) throw new FormatError('digest of invalid length')
  return member.value.value
}

/**
 * Compares the content with its digest, if the message has one.
 *
 * @throws ProtocolError `digest_mismatch`, also for a malformed digest or another algorithm.
 */
export function assertContentDigest(
  primitives: Pick<Primitives, 'sha256'>,
  message: Pick<RequestMessage, 'fields' | 'content'>,
): void {
  const field = findField(message.fields, 'content-digest')
  if (field === undefined) return
  const matches = refuseFormat('digest_mismatch', () =>
    verifyContentDigest(primitives, field, message.content),
  )
  if (!matches) throw new ProtocolError('digest_mismatch', 'the content does not match its digest')
}
