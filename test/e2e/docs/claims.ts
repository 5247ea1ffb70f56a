/** The checks of code blocks other than shell, JSON and HTTP, which `blocks.test.ts` checks by their language. */
import {
  checkFindingLine,
  checkLogLines,
  checkNginx,
  checkPathPattern,
  checkPolicyLines,
  checkSql,
  checkTableSettings,
  checkTransferLine,
} from './block-checks.ts'
import { snippets } from './snippets.ts'

/** A test of the block, a check of its text, or neither for a figure. */
export type Claim =
  | { readonly test: string }
  | { readonly check: (text: string) => void | Promise<void> }
  | { readonly figure: true }

const picture: Claim = { figure: true }
const heldBy = (test: string): Claim => ({ test })
const example = heldBy('test/e2e/docs/protocol.test.ts')
const onPhone = heldBy('test/e2e/docs/snippets.test.ts')
const inBackend = heldBy('test/e2e/docs/backend-snippets.test.ts')
const guide = heldBy('test/e2e/docs/backends.test.ts')

const protocol: Readonly<Record<string, readonly Claim[]>> = {
  '1. Layers': [picture],
  '4. Frames': [example],
  'Keys of the handshake': [example],
  'Keys of messages': [heldBy('test/conformance/vectors/sealing-vectors.test.ts')],
  '5. Plaintext': [heldBy('test/conformance/vectors/vectors.test.ts')],
  'Signed request': [heldBy('test/unit/crypto/signed-request.test.ts')],
  'Signed response': [heldBy('test/unit/crypto/signed-response.test.ts')],
  'Behind the gateway': [heldBy('test/integration/service/gateway-verify.test.ts')],
  '8. Idempotency and retries': [heldBy('test/integration/service/idempotency.test.ts')],
  Outcomes: [heldBy('test/integration/service/outcomes.test.ts')],
  '9. Step-up': [
    heldBy('test/integration/service/step-up.test.ts'),
    heldBy('test/integration/service/step-up.test.ts'),
    heldBy('test/integration/service/step-up.test.ts'),
  ],
  '11. Strict parsing': [heldBy('test/unit/crypto/paths.test.ts')],
  '12. The audit log': [picture],
  '12.1 Leaf': [heldBy('test/unit/crypto/audit-leaf.test.ts')],
  '12.2 Groups and commitments': [heldBy('test/conformance/vectors/log-vectors.test.ts')],
  '12.3 Tree': [heldBy('test/unit/crypto/merkle.test.ts')],
  '12.4 Checkpoints': [heldBy('test/unit/crypto/checkpoint.test.ts')],
  '12.5 Tiles': [heldBy('test/unit/crypto/tiles.test.ts')],
  '12.6 Proofs': [heldBy('test/unit/crypto/tlog-proof.test.ts')],
  '12.7 Policies': [heldBy('test/unit/crypto/tlog-policy.test.ts')],
  '13.1 Keys': [example],
  '13.2 The login': Array.from({ length: 5 }, () => example),
  '13.3 The response to the login': Array.from({ length: 6 }, () => example),
  '13.4 A request': Array.from({ length: 5 }, () => example),
  '13.5 Its response': Array.from({ length: 5 }, () => example),
  '13.6 A leaf, a group and a proof': Array.from({ length: 4 }, () => example),
}

const others: Readonly<Record<string, readonly Claim[]>> = {
  'docs/guides/integration.md#Paths': [{ check: checkPathPattern }],
  'docs/guides/integration.md#Pushing events': [inBackend, heldBy('test/integration/service/push.test.ts')],
  'docs/guides/explain.md#Debug a signature': [heldBy('test/integration/explain/command.test.ts')],
  'docs/internals/formal.md#2. The key exchange': [
    heldBy('test/conformance/vectors/sealing-vectors.test.ts'),
  ],
  'README.md#Miniseal': [{ check: checkTransferLine }],
  'README.md#How a request travels': [picture],
  'README.zh-CN.md#Miniseal': [{ check: checkTransferLine }],
  'README.zh-CN.md#一次请求的全过程': [picture],
  'docs/guides/auditing.md#Verify the log': [{ check: checkFindingLine }],
  'docs/guides/auditing.zh-CN.md#验证日志': [{ check: checkFindingLine }],
  'docs/guides/operations.md#Log': [{ check: checkLogLines }],
  'docs/guides/operations.md#The audit log': [{ check: checkPolicyLines }],
  'docs/guides/operations.md#Pruning': [{ check: checkTableSettings }],
  'docs/guides/operations.md#Events': [{ check: checkNginx }],
  'docs/guides/operations.md#Backup and restore': [{ check: checkSql }],
  'docs/guides/python.md#The program': [guide],
  'docs/guides/go.md#The program': [guide],
  'docs/guides/java.md#The program': [guide],
  'docs/guides/node.md#Behind the gateway': [guide],
  'docs/guides/node.md#Without our package': [heldBy('test/integration/service/gateway.test.ts')],
}

/** By `placeOf` the block, in the order of the blocks. */
export const claims: Readonly<Record<string, readonly Claim[]>> = {
  ...Object.fromEntries(
    Object.entries(protocol).map(([heading, list]) => [`docs/reference/protocol.md#${heading}`, list]),
  ),
  ...Object.fromEntries(
    Object.entries(snippets).map(([place, list]) => [
      place,
      list.map(({ realm }) => (realm === 'phone' ? onPhone : inBackend)),
    ]),
  ),
  ...others,
}
