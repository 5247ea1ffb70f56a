/**
 * What answers for the blocks whose language does not say how they are checked: programs, output, notation. Shell, JSON and
 * HTTP are checked wherever they stand (`blocks.test.ts`).
 */
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

/** By a test that runs the block or holds the code to what it says; by a check of its text; or not at all: a picture. */
export type Claim =
  | { readonly test: string }
  | { readonly check: (text: string) => void | Promise<void> }
  | { readonly figure: true }

const picture: Claim = { figure: true }
const heldBy = (test: string): Claim => ({ test })
const example = heldBy('test/docs/protocol.test.ts')
const onPhone = heldBy('test/docs/snippets.test.ts')
const inBackend = heldBy('test/docs/backend-snippets.test.ts')
const guide = heldBy('test/docs/backends.test.ts')

const protocol: Readonly<Record<string, readonly Claim[]>> = {
  '1. Layers': [picture],
  '4. Frames': [example],
  'Keys of the handshake': [example],
  'Keys of messages': [heldBy('test/vectors/sealing-vectors.test.ts')],
  '5. Plaintext': [heldBy('test/vectors/vectors.test.ts')],
  'Signed request': [heldBy('test/crypto/signed-request.test.ts')],
  'Signed response': [heldBy('test/crypto/signed-response.test.ts')],
  'Behind the gateway': [heldBy('test/service/gateway-verify.test.ts')],
  '8. Idempotency and retries': [heldBy('test/service/idempotency.test.ts')],
  Outcomes: [heldBy('test/service/outcomes.test.ts')],
  '9. Step-up': [
    heldBy('test/service/step-up.test.ts'),
    heldBy('test/service/step-up.test.ts'),
    heldBy('test/service/step-up.test.ts'),
  ],
  '11. Where our parsers are strict': [heldBy('test/crypto/paths.test.ts')],
  '12. The audit log': [picture],
  '12.1 Leaf': [heldBy('test/crypto/audit-leaf.test.ts')],
  '12.2 Groups and commitments': [heldBy('test/vectors/log-vectors.test.ts')],
  '12.3 Tree': [heldBy('test/crypto/merkle.test.ts')],
  '12.4 Checkpoints': [heldBy('test/crypto/checkpoint.test.ts')],
  '12.5 Tiles': [heldBy('test/crypto/tiles.test.ts')],
  '12.6 Proofs': [heldBy('test/crypto/tlog-proof.test.ts')],
  '12.7 Policies': [heldBy('test/crypto/tlog-policy.test.ts')],
  '13.1 Keys': [example],
  '13.2 The login': Array.from({ length: 5 }, () => example),
  '13.3 The answer to the login': Array.from({ length: 6 }, () => example),
  '13.4 A request': Array.from({ length: 5 }, () => example),
  '13.5 Its answer': Array.from({ length: 5 }, () => example),
  '13.6 A leaf, a group and a proof': Array.from({ length: 4 }, () => example),
}

const others: Readonly<Record<string, readonly Claim[]>> = {
  'docs/integration.md#Paths': [{ check: checkPathPattern }],
  'docs/integration.md#Pushing events': [inBackend, heldBy('test/service/push.test.ts')],
  'docs/explain.md#Why a signature does not verify': [heldBy('test/explain/command.test.ts')],
  'docs/formal.md#2. The key exchange': [heldBy('test/vectors/sealing-vectors.test.ts')],
  'README.md#Miniseal': [{ check: checkTransferLine }],
  'README.md#How a request goes': [picture],
  'README.zh-CN.md#Miniseal': [{ check: checkTransferLine }],
  'README.zh-CN.md#一次请求的全过程': [picture],
  'docs/auditing.md#Check the log': [{ check: checkFindingLine }],
  'docs/auditing.zh-CN.md#验证日志': [{ check: checkFindingLine }],
  'docs/operations.md#Log': [{ check: checkLogLines }],
  'docs/operations.md#The audit log': [{ check: checkPolicyLines }],
  'docs/operations.md#What is deleted': [{ check: checkTableSettings }],
  'docs/operations.md#Events': [{ check: checkNginx }],
  'docs/operations.md#Backup and restore': [{ check: checkSql }],
  'docs/guides/python.md#The program': [guide],
  'docs/guides/go.md#The program': [guide],
  'docs/guides/java.md#The program': [guide],
  'docs/guides/node.md#Behind the gateway': [guide],
  'docs/guides/node.md#Without our package': [heldBy('test/service/gateway.test.ts')],
}

/** By `placeOf` a block, in the order in which the blocks of a place stand. */
export const claims: Readonly<Record<string, readonly Claim[]>> = {
  ...Object.fromEntries(
    Object.entries(protocol).map(([heading, list]) => [`docs/protocol.md#${heading}`, list]),
  ),
  ...Object.fromEntries(
    Object.entries(snippets).map(([place, list]) => [
      place,
      list.map(({ realm }) => (realm === 'phone' ? onPhone : inBackend)),
    ]),
  ),
  ...others,
}
