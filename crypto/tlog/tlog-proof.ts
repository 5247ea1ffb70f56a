/**
 * Self-contained proofs that an entry is in a log, as files (C2SP tlog-proof; protocol, section 12).
 *
 * ```
 * c2sp.org/tlog-proof@v1
 * extra <base64>                    optional
 * index <decimal>
 * <base64 of a hash>                the leaf's sibling first
 * <empty line>
 * <the checkpoint with its signatures>
 * ```
 */

import { FormatError, refuseLogFormat } from '../errors.ts'
import type { Primitives } from '../primitives/primitives.ts'
import { decodeBase64, encodeBase64 } from '../text.ts'
import { parseCheckpointNote, parseDecimal } from './checkpoint.ts'
import { treeHashLength, verifyInclusion } from './merkle.ts'
import type { TlogPolicy, TrustedCheckpoint } from './tlog-policy.ts'
import { verifyByPolicy } from './tlog-policy.ts'

const firstLine = 'c2sp.org/tlog-proof@v1'
/** Characters of a proof: a note of maximum length, as much extra data, and 63 hashes. */
const maxProofLength = 262144
/** The length of the path in a tree of 2^63 leaves. */
const maxHashes = 63

export interface TlogProof {
  /** Not authenticated. */
  readonly extra?: Uint8Array
  /** The index of the entry, from 0. */
  readonly index: number
  /** The leaf's sibling first. */
  readonly hashes: readonly Uint8Array[]
  /** A signed note. */
  readonly checkpoint: string
}

/** @throws FormatError for an invalid proof. */
export function encodeTlogProof({ extra, index, hashes, checkpoint }: TlogProof): string {
  if (!Number.isSafeInteger(index) || index < 0) throw new FormatError('invalid entry index')
  if (extra?.length === 0) throw new FormatError('extra data must not be empty')
  if (hashes.length > maxHashes || !hashes.every(({ length }) => length === treeHashLength))
    throw new FormatError('invalid proof hashes')
  parseCheckpointNote(checkpoint)
  const lines = [
    firstLine,
    ...(extra === undefined ? [] : [`extra ${encodeBase64(extra)}`]),
    `index ${index}`,
    ...hashes.map(encodeBase64),
  ]
  const proof = `${lines.join('\n')}\n\n${checkpoint}`
  if (proof.length > maxProofLength) throw new FormatError('the proof is too long')
  return proof
}

/**
 * Parses an attacker-controlled proof without verifying it.
 * @throws FormatError unless {@link encodeTlogProof} would write it.
 */
export function parseTlogProof(text: string): TlogProof {
  if (text.length > maxProofLength) throw new FormatError('the proof is too long')
  const end = text.indexOf('\n\n')
  const [first, ...lines] = text.slice(0, Math.max(end, 0)).split('\n')
  if (first !== firstLine) throw new FormatError('invalid log proof')
  const extra = /^extra (.+)$/.exec(lines[0] ?? '')?.[1]
  const [index = '', ...hashes] = extra === undefined ? lines : lines.slice(1)
  const proof: TlogProof = {
    ...(extra === undefined ? {} : { extra: decodeBase64(extra) }),
    index: parseDecimal(/^index (.+)$/.exec(index)?.[1] ?? ''),
    hashes: hashes.map(decodeBase64),
    checkpoint: text.slice(end + 2),
  }
  if (encodeTlogProof(proof) !== text) throw new FormatError('invalid log proof')
  return proof
}

/**
 * Verifies that a leaf is in a log that a policy accepts.
 *
 * @param proof attacker-controlled text
 * @param leafHash the hash of the entry, 32 bytes
 * @returns the checkpoint, its cosignatures and the index of the leaf
 * @throws LogError `proof_malformed`, `inclusion_wrong`, or as `verifyByPolicy`
 */
export function verifyTlogProof(
  primitives: Pick<Primitives, 'sha256' | 'ed25519Verify'>,
  proof: string,
  leafHash: Uint8Array,
  policy: TlogPolicy,
): TrustedCheckpoint & { readonly index: number } {
  const { index, hashes, checkpoint } = refuseLogFormat('proof_malformed', () => parseTlogProof(proof))
  const trusted = verifyByPolicy(primitives, checkpoint, policy)
  verifyInclusion(primitives, leafHash, index, trusted.checkpoint, hashes)
  return { ...trusted, index }
}
