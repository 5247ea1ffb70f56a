/** What a phone or a browser needs to check a receipt: bundled by a test to see how large it is and what it asks for. */
export { parseGroup, parseLeaf, verifyCommitment } from '../../../crypto/tlog/audit-leaf.ts'
export { hashLeaf, verifyConsistency } from '../../../crypto/tlog/merkle.ts'
export { parseBundle, tileSpot, tilesOfNodes } from '../../../crypto/tlog/tiles.ts'
export { parsePolicy } from '../../../crypto/tlog/tlog-policy.ts'
export { verifyTlogProof } from '../../../crypto/tlog/tlog-proof.ts'
export { consistencyPlan, foldPlan } from '../../../crypto/tlog/tree-plan.ts'
