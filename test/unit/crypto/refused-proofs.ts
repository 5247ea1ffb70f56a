/** Trust policies and proofs of the audit log that must be refused, for tests and for the test vectors. */
import { encodeVerifierKey } from '../../../crypto/tlog/signed-note.ts'
import { encodeTlogProof } from '../../../crypto/tlog/tlog-proof.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { proofOf } from './fixed-log.ts'
import { logKey, witness } from './note-inputs.ts'
import type { RefusedText } from './refused-leaves.ts'
import { titled } from './refused-leaves.ts'

const vkeyOf = (name: string): string => encodeVerifierKey(primitives, witness(name).key)
const witnessLine = (name: string): string => `witness ${name} ${vkeyOf(name)}\n`
export const logLine: string = `log ${encodeVerifierKey(primitives, logKey)}\n`
const [x1, x2, x3] = [witnessLine('X1'), witnessLine('X2'), witnessLine('X3')]
const [y1, y2, y3] = [witnessLine('Y1'), witnessLine('Y2'), witnessLine('Y3')]

/** The example of C2SP tlog-policy. */
export const examplePolicy: string = `${logLine}
${x1}${x2}${x3}group X-witnesses 2 X1 X2 X3

${y1}${y2}${y3}group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
`

export function manyWitnesses(count: number): string {
  return Array.from({ length: count }, (_, i) => witnessLine(`w${i}`)).join('')
}

export function manyGroups(count: number): string {
  return Array.from({ length: count }, (_, i) => `group g${i} all w${i}\n`).join('')
}

export const refusedPolicies: readonly RefusedText[] = titled([
  ['nothing', ''],
  ['no quorum', logLine],
  ['two quorums', 'quorum none\nquorum none\n'],
  ['a quorum of two', `${x1}quorum X1 X1\n`],
  ['a quorum that is not known', 'quorum X1\n'],
  ['a quorum that is known later', `quorum X1\n${x1}`],
  ['no last line feed', 'quorum none'],
  ['a carriage return', 'quorum none\r\n'],
  ['a delete character', '# \u007f\nquorum none\n'],
  ['a lone surrogate', '# \ud800\nquorum none\n'],
  ['an unknown line', 'quorum none\nwitnesses X\n'],
  ['a line in capitals', 'Quorum none\n'],
  ['a log twice', `${logLine}${logLine}quorum none\n`],
  ['a log with a key of a witness', `log ${vkeyOf('X1')}\nquorum none\n`],
  ['a log with too many words', `${logLine.trim()} https://a b\nquorum none\n`],
  ['a log without a key', 'log\nquorum none\n'],
  ['a witness without a name', `witness ${vkeyOf('X1')}\nquorum none\n`],
  ['a witness with a key of a log', `${logLine.replace('log', 'witness X1')}quorum none\n`],
  ['a witness called none', `witness none ${vkeyOf('X1')}\nquorum none\n`],
  ['a name twice', `${x1}${x2.replace('X2', 'X1')}quorum none\n`],
  ['a key under two names', `${x1}${x1.replace('X1', 'X2')}quorum none\n`],
  ['a group named as a witness', `${x1}group X1 any X1\nquorum none\n`],
  ['a group called none', `${x1}group none any X1\nquorum none\n`],
  ['a group without members', `${x1}group G any\nquorum none\n`],
  ['a group of too few', `${x1}group G 2 X1\nquorum none\n`],
  ['a group of none of its members', `${x1}group G 0 X1\nquorum none\n`],
  ['a threshold with a leading zero', `${x1}group G 01 X1\nquorum none\n`],
  ['a threshold of most', `${x1}group G most X1\nquorum none\n`],
  ['a member that is not known', `${x1}group G any X1 X2\nquorum none\n`],
  ['a member that is known later', `group G any X1\n${x1}quorum none\n`],
  ['a member twice', `${x1}${x2}group G 2 X1 X1\nquorum none\n`],
  ['a member of two groups', `${x1}${x2}group G any X1\ngroup H any X1 X2\nquorum none\n`],
  ['a member called none', `${x1}group G any none\nquorum none\n`],
  ['a group in itself', `${x1}group G any G X1\nquorum none\n`],
  ['too many characters', `${'#\n'.repeat(40_000)}quorum none\n`],
  ['65 groups', `${manyWitnesses(65)}${manyGroups(65)}quorum none\n`],
])

const good = encodeTlogProof({ ...proofOf(5), extra: Uint8Array.of(1) })

export const refusedProofs: readonly RefusedText[] = titled([
  ['nothing', ''],
  ['another first line', good.replace('@v1', '@v2')],
  ['nothing but its first line', 'c2sp.org/tlog-proof@v1\n'],
  ['a line feed in front', `\n${good}`],
  ['carriage returns', good.replace(/\n/g, '\r\n')],
  ['empty extra data', good.replace('extra AQ==', 'extra ')],
  ['extra data twice', good.replace('extra AQ==', 'extra AQ==\nextra AQ==')],
  ['extra data behind the index', good.replace('extra AQ==\nindex 5', 'index 5\nextra AQ==')],
  ['extra data without padding', good.replace('extra AQ==', 'extra AQ')],
  ['no index', good.replace('index 5\n', '')],
  ['an index with a leading zero', good.replace('index 5', 'index 05')],
  ['a negative index', good.replace('index 5', 'index -5')],
  ['an index that is not safe', good.replace('index 5', 'index 9007199254740992')],
  ['two spaces', good.replace('index 5', 'index  5')],
  ['a hash of 31 bytes', good.replace('index 5\n', `index 5\n${'A'.repeat(40)}AA==\n`)],
  ['64 hashes', good.replace('index 5\n', `index 5\n${`${'A'.repeat(43)}=\n`.repeat(64)}`)],
  ['no empty line', good.replace('\n\n', '\n')],
  ['two empty lines', good.replace('\n\n', '\n\n\n')],
  ['no checkpoint', good.slice(0, good.indexOf('\n\n') + 2)],
  ['something that is no checkpoint', good.replace('\n70\n', '\n070\n')],
  ['a line feed at the end', `${good}\n`],
])
