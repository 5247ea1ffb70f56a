/** log.json: leaves, commitments, the tree, tiles, checkpoints and proofs of the audit log. */

import { decodeUtf8, encodeUtf8, encodeHex as hex } from '../../../../crypto/text.ts'
import type { AuditLeaf } from '../../../../crypto/tlog/audit-leaf.ts'
import { commitment, encodeGroup, encodeLeaf } from '../../../../crypto/tlog/audit-leaf.ts'
import { hashLeaf } from '../../../../crypto/tlog/merkle.ts'
import { encodeBundle, tileLevels, tilePath } from '../../../../crypto/tlog/tiles.ts'
import { encodePolicy } from '../../../../crypto/tlog/tlog-policy.ts'
import { encodeTlogProof } from '../../../../crypto/tlog/tlog-proof.ts'
import { sodiumPrimitives as primitives } from '../../../../service/keys/sodium-primitives.ts'
import { fixed, flipped } from '../../../unit/crypto/fixed-inputs.ts'
import { checkpointOf, cosigned, hashes, policy, proofOf, tree } from '../../../unit/crypto/fixed-log.ts'
import { logSigner, witness } from '../../../unit/crypto/note-inputs.ts'
import type { PlainTree } from '../../../unit/crypto/plain-tree.ts'
import { hugeTree, path, proof } from '../../../unit/crypto/plain-tree.ts'
import {
  examplePolicy,
  fullLeaf,
  plainLeaf,
  refusedCheckpoints,
  refusedGroups,
  refusedLeaves,
  refusedNotes,
  refusedPolicies,
  refusedProofs,
  refusedTilePaths,
  refusedVerifierKeys,
} from './refused-texts.ts'

const trees = [0, 1, 2, 3, 4, 7, 8, 63, 64, 65, 70]

/** Bytes in hex; texts as they are; a `reason` is that of `LogError`. */
export function logVectors() {
  return {
    ...leafVectors(),
    ...treeVectors(),
    ...tileVectors(),
    ...noteVectors(),
    ...proofVectors(),
  }
}

function leafVectors() {
  const leaves: readonly (readonly [string, AuditLeaf])[] = [
    ['with nothing that may be left out', plainLeaf],
    ['with everything', fullLeaf],
    [
      'that tells of the first leaf of a log',
      { ...plainLeaf, kind: 'log-started', retention: '5y', facts: { origin: 'pay.example.com/audit/2026' } },
    ],
    ['with text that JSON escapes', { ...plainLeaf, kind: 'gap', facts: { why: 'a "quote" and a \\' } }],
  ]
  const values = [
    ['core', { method: 'POST', path: '/wallet/transfers?draft', status: 201, duration_ms: 12 }],
    ['net', { ip: '192.0.2.1', user_agent: '\u5fae\u4fe1 \u{1f600} "8.0"\n' }],
    ['pay', {}],
  ] as const
  return {
    leaves: leaves.map(([title, leaf]) => {
      const bytes = encodeLeaf(leaf)
      return { title, leaf: decodeUtf8(bytes), hash: hex(hashLeaf(primitives, bytes)) }
    }),
    refused_leaves: refusedLeaves,
    groups: values.map(([label, group]) => {
      const bytes = encodeGroup(group)
      const salt = fixed(`salt of ${label}`)
      const stated = hex(commitment(primitives, label, salt, bytes))
      return { label, salt: hex(salt), group: decodeUtf8(bytes), commitment: stated }
    }),
    refused_groups: refusedGroups,
  }
}

function treeVectors() {
  const inclusion = [
    ...[1, 2, 7, 8, 64, 70].flatMap((size) =>
      [0, Math.floor(size / 2), size - 1].map((index) => inclusionOf(tree, index, size)),
    ),
    ...hugeSizes.map(([index, size]) => inclusionOf(hugeOf(index), index, size)),
  ]
  const consistency = [
    ...[1, 2, 7, 8, 64, 70].flatMap((size) =>
      [0, 1, 4, Math.ceil(size / 2), size]
        .filter((older) => older <= size)
        .map((older) => consistencyOf(tree, older, size)),
    ),
    ...hugeSizes.map(([older, size]) => consistencyOf(hugeOf(older), older, size)),
  ]
  return {
    roots: trees.map((size) => ({ size, root: hex(tree.mth(0, size)) })),
    inclusion,
    refused_inclusion: refusedInclusion(inclusionOf(tree, 5, 70)),
    consistency,
    refused_consistency: refusedConsistency(consistencyOf(tree, 37, 70)),
  }
}

/** An index (or the size of an older tree) and a size that no 32-bit shift gets right. */
const hugeSizes = [
  [2 ** 31, 2 ** 31 + 1],
  [2 ** 32 + 5, 2 ** 33],
  [2 ** 40 - 1, 2 ** 52 + 2 ** 20 + 1],
  [Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER],
] as const

/** All leaves are "entry 0", but for the one at `index`, which is "entry 1". */
function hugeOf(index: number): PlainTree {
  const [common = fixed('no leaf'), special = common] = hashes
  return hugeTree(common, { index, hash: special })
}

function inclusionOf(of: PlainTree, index: number, size: number) {
  return {
    title: `entry ${index} of ${size}`,
    index,
    size,
    leaf_hash: hex(of.mth(index, index + 1)),
    root: hex(of.mth(0, size)),
    hashes: path(of, index, 0, size).map(hex),
  }
}

function consistencyOf(of: PlainTree, older: number, newer: number) {
  return {
    title: `${older} to ${newer}`,
    older: { size: older, root: hex(of.mth(0, older)) },
    newer: { size: newer, root: hex(of.mth(0, newer)) },
    hashes: proof(of, older, newer).map(hex),
  }
}

const otherHash = hex(fixed('another hash'))

function refusedInclusion(good: ReturnType<typeof inclusionOf>) {
  const reversed = [...good.hashes].reverse()
  return [
    { ...good, title: 'of another leaf', leaf_hash: otherHash },
    { ...good, title: 'in another tree', root: otherHash },
    { ...good, title: 'at another index', index: 4 },
    { ...good, title: 'behind the tree', index: 70 },
    { ...good, title: 'in a much smaller tree', size: 7 },
    { ...good, title: 'in an empty tree', size: 0 },
    { ...good, title: 'with a hash too many', hashes: [...good.hashes, otherHash] },
    { ...good, title: 'with a hash too few', hashes: good.hashes.slice(0, -1) },
    { ...good, title: 'from the root to the leaf', hashes: reversed },
    { ...good, title: 'with a short hash', hashes: good.hashes.map((hash) => hash.slice(2)) },
  ]
}

function refusedConsistency(good: ReturnType<typeof consistencyOf>) {
  const { older, newer } = good
  return [
    { ...good, title: 'from another root', older: { ...older, root: otherHash } },
    { ...good, title: 'to another root', newer: { ...newer, root: otherHash } },
    { ...good, title: 'from another size', older: { ...older, size: 36 } },
    { ...good, title: 'backwards', older: newer, newer: older },
    { ...good, title: 'with a hash too many', hashes: [...good.hashes, otherHash] },
    { ...good, title: 'with a hash too few', hashes: good.hashes.slice(0, -1) },
    { ...good, title: 'with nothing', hashes: [] },
    { ...good, title: 'of equal sizes with other roots', newer: { ...newer, size: 37 }, hashes: [] },
    { ...good, title: 'of equal sizes with a hash', newer: older },
    { ...good, title: 'from an empty tree with a hash', older: { size: 0, root: hex(tree.mth(0, 0)) } },
    {
      title: 'of two empty trees with a root',
      older: { size: 0, root: otherHash },
      newer: { size: 0, root: otherHash },
      hashes: [],
    },
    { ...good, title: 'from an empty tree with a root', older: { ...older, size: 0 }, hashes: [] },
  ]
}

function tileVectors() {
  const sizes = [0, 1, 2, 255, 256, 257, 65535, 65536, 70000, 2 ** 40, Number.MAX_SAFE_INTEGER]
  const places = [
    [0, 0, 256],
    [0, 1234067, 256],
    [1, 0, 17],
    [6, 999, 255],
    [null, 1000, 1],
    [null, 273, 112],
  ] as const
  const entries = ['', 'a', 'entry 2'].map(encodeUtf8)
  return {
    tile_levels: sizes.map((size) => ({ size, levels: tileLevels(size) })),
    tile_paths: places.map(([level, index, width]) => ({
      path: tilePath(
        level === null ? { kind: 'entries', index, width } : { kind: 'hashes', level, index, width },
      ),
      level,
      index,
      width,
    })),
    refused_tile_paths: refusedTilePaths,
    bundle: { entries: entries.map(hex), bytes: hex(encodeBundle(entries)) },
  }
}

function noteVectors() {
  const { signer } = witness('w1')
  const [log, cosigner] = encodePolicy(primitives, policy)
    .split('\n')
    .map((line) => line.split(' ').at(-1) ?? '')
  return {
    verifier_keys: [
      { seed: hex(logSigner.seed), text: log ?? '' },
      { seed: hex(signer.seed), text: cosigner ?? '' },
    ],
    refused_verifier_keys: refusedVerifierKeys,
    refused_notes: refusedNotes,
    refused_checkpoints: refusedCheckpoints,
    log: { seed: hex(logSigner.seed), checkpoint: checkpointOf(70) },
    witness: { seed: hex(signer.seed), name: signer.name, checkpoint: cosigned(checkpointOf(70)) },
  }
}

function proofVectors() {
  const good = proofOf(5)
  const [first = fixed('no hash'), ...others] = good.hashes
  const forged = good.checkpoint.replace('\n70\n', '\n71\n')
  const wrong = [
    ['of another entry', 'inclusion_wrong', 'entry 6', good],
    ['at another index', 'inclusion_wrong', 'entry 5', { ...good, index: 4 }],
    ['with a flipped bit', 'inclusion_wrong', 'entry 5', { ...good, hashes: [flipped(first, 0), ...others] }],
    ['without a witness', 'quorum_missing', 'entry 5', { ...good, checkpoint: checkpointOf(70) }],
    ['of another size', 'signature_wrong', 'entry 5', { ...good, checkpoint: forged }],
  ] as const
  return {
    policies: [examplePolicy, encodePolicy(primitives, policy), 'quorum none\n'],
    refused_policies: refusedPolicies,
    policy: encodePolicy(primitives, policy),
    proofs: [0, 5, 64, 69].map((index) => ({
      entry: `entry ${index}`,
      proof: encodeTlogProof(proofOf(index)),
    })),
    wrong_proofs: wrong.map(([title, reason, entry, made]) => {
      return { title, reason, entry, proof: encodeTlogProof(made) }
    }),
    refused_proofs: refusedProofs,
  }
}
