/** What a phone or a browser needs to check a receipt: bundled by a test to see how large it is and what it asks for. */
export { parseGroup, parseLeaf, verifyCommitment } from '../../crypto/audit-leaf.ts'
export { hashLeaf, verifyConsistency } from '../../crypto/merkle.ts'
export { parseBundle, tileSpot, tilesOfNodes } from '../../crypto/tiles.ts'
export { parsePolicy } from '../../crypto/tlog-policy.ts'
export { verifyTlogProof } from '../../crypto/tlog-proof.ts'
export { consistencyPlan, foldPlan } from '../../crypto/tree-plan.ts'
