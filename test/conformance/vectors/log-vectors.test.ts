/** The vectors of the audit log through the public calls, with each implementation of the primitives. */
import { describe, expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import { decodeHex as bytes, encodeUtf8, encodeHex as hex } from '../../../crypto/text.ts'
import {
  commitment,
  encodeGroup,
  encodeLeaf,
  parseGroup,
  parseLeaf,
  verifyCommitment,
} from '../../../crypto/tlog/audit-leaf.ts'
import {
  encodeCheckpoint,
  parseCheckpoint,
  signCheckpoint,
  verifyCheckpoint,
} from '../../../crypto/tlog/checkpoint.ts'
import { cosign, cosignatureTime } from '../../../crypto/tlog/cosignature.ts'
import { hashLeaf, verifyConsistency, verifyInclusion } from '../../../crypto/tlog/merkle.ts'
import {
  encodeNote,
  encodeVerifierKey,
  parseNote,
  parseVerifierKey,
} from '../../../crypto/tlog/signed-note.ts'
import { encodeBundle, parseBundle, parseTilePath, tileLevels, tilePath } from '../../../crypto/tlog/tiles.ts'
import { encodePolicy, parsePolicy, verifyByPolicy } from '../../../crypto/tlog/tlog-policy.ts'
import { encodeTlogProof, parseTlogProof, verifyTlogProof } from '../../../crypto/tlog/tlog-proof.ts'
import { growTree } from '../../../crypto/tlog/tree-growth.ts'
import { reasonOf } from '../../unit/crypto/code-of.ts'
import { namedImplementations } from '../../unit/crypto/implementations.ts'
import { readVectors } from './read-vectors.ts'

const vectors = readVectors('log')

describe('log.json, its forms', () => {
  it.each(vectors.leaves)('the leaf $title is parsed and encoded to the same text', ({ leaf }) => {
    expect(encodeLeaf(parseLeaf(encodeUtf8(leaf)))).toEqual(encodeUtf8(leaf))
  })

  it.each(vectors.refused_leaves)('a leaf with $title is refused', ({ text }) => {
    expect(() => parseLeaf(encodeUtf8(text))).toThrow(FormatError)
  })

  it.each(vectors.groups)('the group $group is parsed and encoded to the same text', ({ group }) => {
    expect(encodeGroup(parseGroup(encodeUtf8(group)))).toEqual(encodeUtf8(group))
  })

  it.each(vectors.refused_groups)('a group with $title is refused', ({ text }) => {
    expect(() => parseGroup(encodeUtf8(text))).toThrow(FormatError)
  })

  it.each(vectors.tile_levels)('tileLevels counts the tiles of a tree of $size', ({ size, levels }) => {
    expect(tileLevels(size)).toEqual(levels)
  })

  it.each(vectors.tile_paths)(
    'the path $path names the tile of the vector',
    ({ path, level, index, width }) => {
      const tile =
        level === null
          ? { kind: 'entries' as const, index, width }
          : { kind: 'hashes' as const, level, index, width }
      expect(tilePath(tile)).toBe(path)
      expect(parseTilePath(path)).toEqual(tile)
    },
  )

  it.each(vectors.refused_tile_paths)('the tile path %j is refused', (path) => {
    expect(() => parseTilePath(path)).toThrow(FormatError)
  })

  it('the bundle of entries is encoded and parsed as in the vector', () => {
    const { entries, bytes: bundle } = vectors.bundle
    expect(hex(encodeBundle(entries.map(bytes)))).toBe(bundle)
    expect(parseBundle(bytes(bundle), entries.length).map(hex)).toEqual(entries)
  })

  it.each(vectors.refused_notes)('a note with $title is refused', ({ text }) => {
    expect(() => parseNote(text)).toThrow(FormatError)
  })

  it.each(vectors.refused_checkpoints)('a checkpoint with $title is refused', ({ text }) => {
    expect(() => parseCheckpoint(text)).toThrow(FormatError)
  })

  it.each(vectors.refused_proofs)('a proof with $title is refused', ({ text }) => {
    expect(() => parseTlogProof(text)).toThrow(FormatError)
  })
})

describe.each(namedImplementations)('log.json, with %s', (_, primitives) => {
  it.each(vectors.leaves)('the leaf $title has the hash of the vector', ({ leaf, hash }) => {
    expect(hex(hashLeaf(primitives, encodeUtf8(leaf)))).toBe(hash)
  })

  it.each(vectors.groups)(
    'the commitment to the group $label is that of the vector',
    ({ label, salt, group, commitment: stated }) => {
      const value = encodeUtf8(group)
      expect(hex(commitment(primitives, label, bytes(salt), value))).toBe(stated)
      const [{ leaf = '' } = {}] = vectors.leaves
      const committed = { ...parseLeaf(encodeUtf8(leaf)), commitments: { [label]: bytes(stated) } }
      expect(
        reasonOf(() => verifyCommitment(primitives, committed, label, bytes(salt), value)),
      ).toBeUndefined()
    },
  )

  it('a growing tree has the roots of the vectors', () => {
    const growth = growTree(primitives)
    for (const { size, root } of vectors.roots) {
      while (growth.size < size) growth.append(hashLeaf(primitives, encodeUtf8(`entry ${growth.size}`)))
      expect(hex(growth.root())).toBe(root)
    }
  })

  const inclusion = (vector: (typeof vectors.inclusion)[number]) => () => {
    const { index, size, leaf_hash, root, hashes } = vector
    verifyInclusion(primitives, bytes(leaf_hash), index, { size, root: bytes(root) }, hashes.map(bytes))
  }
  it.each(vectors.inclusion)('the inclusion proof verifies: $title', (vector) => {
    expect(reasonOf(inclusion(vector))).toBeUndefined()
  })
  it.each(vectors.refused_inclusion)('an inclusion proof $title is refused', (vector) => {
    expect(reasonOf(inclusion(vector))).toBe('inclusion_wrong')
  })

  const consistency = (vector: (typeof vectors.consistency)[number]) => () => {
    const [older, newer] = [vector.older, vector.newer].map(({ size, root }) => ({ size, root: bytes(root) }))
    if (older === undefined || newer === undefined) throw new Error('no tree')
    verifyConsistency(primitives, older, newer, vector.hashes.map(bytes))
  }
  it.each(vectors.consistency)('the consistency proof verifies: $title', (vector) => {
    expect(reasonOf(consistency(vector))).toBeUndefined()
  })
  it.each(vectors.refused_consistency)('a consistency proof $title is refused', (vector) => {
    expect(reasonOf(consistency(vector))).toBe('consistency_wrong')
  })

  it.each(vectors.verifier_keys)(
    'the verifier key $text is parsed and encoded to the same text',
    ({ seed, text }) => {
      const key = parseVerifierKey(primitives, text)
      expect(key.publicKey).toEqual(primitives.ed25519KeyPair(bytes(seed)).publicKey)
      expect(encodeVerifierKey(primitives, key)).toBe(text)
    },
  )
  it.each(vectors.refused_verifier_keys)('a verifier key with $title is refused', ({ text }) => {
    expect(() => parseVerifierKey(primitives, text)).toThrow(FormatError)
  })

  it('the checkpoint has the signature and the cosignature of the vectors', () => {
    const [log, witness] = vectors.verifier_keys.map(({ text }) => parseVerifierKey(primitives, text))
    if (log === undefined || witness === undefined) throw new Error('no keys')
    const { checkpoint, note } = verifyCheckpoint(primitives, vectors.log.checkpoint, [log])
    expect(encodeCheckpoint(checkpoint)).toBe(note.text)
    const signer = { ...primitives.ed25519KeyPair(bytes(vectors.log.seed)), name: log.name }
    expect(signCheckpoint(primitives, checkpoint, [signer])).toBe(vectors.log.checkpoint)
    const cosigned = parseNote(vectors.witness.checkpoint)
    const time = cosignatureTime(cosigned.signatures[1]?.signature ?? new Uint8Array(0))
    const cosigner = { ...primitives.ed25519KeyPair(bytes(vectors.witness.seed)), name: witness.name }
    const signatures = [...note.signatures, cosign(primitives, note.text, cosigner, time)]
    expect(encodeNote({ text: note.text, signatures })).toBe(vectors.witness.checkpoint)
  })

  it('the policies of the vectors are parsed and encoded', () => {
    for (const text of vectors.policies) {
      const plain = encodePolicy(primitives, parsePolicy(primitives, text))
      expect(parsePolicy(primitives, plain)).toEqual(parsePolicy(primitives, text))
    }
    const policy = parsePolicy(primitives, vectors.policy)
    expect(verifyByPolicy(primitives, vectors.witness.checkpoint, policy).cosignatures).toHaveLength(1)
  })
  it.each(vectors.refused_policies)('a policy with $title is refused', ({ text }) => {
    expect(() => parsePolicy(primitives, text)).toThrow(FormatError)
  })

  const prove = (entry: string, proof: string) => () => {
    const policy = parsePolicy(primitives, vectors.policy)
    verifyTlogProof(primitives, proof, hashLeaf(primitives, encodeUtf8(entry)), policy)
  }
  it.each(vectors.proofs)('the proof of the entry $entry verifies', ({ entry, proof }) => {
    expect(reasonOf(prove(entry, proof))).toBeUndefined()
    expect(encodeTlogProof(parseTlogProof(proof))).toBe(proof)
  })
  it.each(vectors.wrong_proofs)('a proof $title is refused with $reason', ({ entry, proof, reason }) => {
    expect(reasonOf(prove(entry, proof))).toBe(reason)
  })
})
