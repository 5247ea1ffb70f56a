/** Texts of the audit log that parsers must refuse. */
import { decodeUtf8, encodeBase64 } from '../../../../crypto/text.ts'
import type { AuditLeaf } from '../../../../crypto/tlog/audit-leaf.ts'
import { encodeLeaf } from '../../../../crypto/tlog/audit-leaf.ts'
import { encodeVerifierKey } from '../../../../crypto/tlog/signed-note.ts'
import { encodeTlogProof } from '../../../../crypto/tlog/tlog-proof.ts'
import { sodiumPrimitives as primitives } from '../../../../service/keys/sodium-primitives.ts'
import { fixed } from '../../../unit/crypto/fixed-inputs.ts'
import { proofOf } from '../../../unit/crypto/fixed-log.ts'
import { logKey, origin, witness } from '../../../unit/crypto/note-inputs.ts'

/** Texts over this length are refused for their length alone; section 11 of the protocol has the limits. */
const longest = 8192

function titled(pairs: readonly (readonly [string, string])[]) {
  return pairs.filter(([, text]) => text.length <= longest).map(([title, text]) => ({ title, text }))
}

const id = '019ab1c2-d3e4-7f50-8a6b-7c8d9e0f1a2b'

/** A leaf with nothing that may be left out. */
export const plainLeaf: AuditLeaf = { id, kind: 'request', result: 'ok', retention: '1y', at: 1764000000123 }

/** A leaf with everything. */
export const fullLeaf: AuditLeaf = {
  ...plainLeaf,
  app: 'wx0123456789abcdef',
  commitments: {
    sub: fixed('sub'),
    core: fixed('core'),
    pay: fixed('pay'),
    sig: fixed('sig'),
    net: fixed('net'),
  },
  facts: { to: 3, from: 1, n: 17 },
}

const good = decodeUtf8(encodeLeaf(fullLeaf))

export const refusedLeaves = titled([
  ['nothing', ''],
  ['no JSON', good.slice(0, -1)],
  ['something behind', `${good} `],
  ['a space', good.replace(',"r"', ', "r"')],
  ['a list', `[${good}]`],
  ['null', 'null'],
  ['a member twice', good.replace('"k":"request"', '"k":"login","k":"request"')],
  ['another order', good.replace('"k":"request","r":"ok"', '"r":"ok","k":"request"')],
  ['another order of groups', good.replace(/("core":"[^"]+"),("net":"[^"]+")/, '$2,$1')],
  ['another order of facts', good.replace('"from":1,"n":17', '"n":17,"from":1')],
  ['an unknown member', good.replace('"v":1', '"v":1,"w":1')],
  ['an escape', good.replace('"request"', '"reque\\u0073t"')],
  ['another version', good.replace('"v":1', '"v":2')],
  ['no version', good.replace(',"v":1', '')],
  ['an unknown kind', good.replace('"request"', '"requests"')],
  ['a kind of Object', good.replace('"request"', '"toString"')],
  ['an unknown result', good.replace('"r":"ok"', '"r":"fine"')],
  ['a null result', good.replace('"r":"ok"', '"r":null')],
  ['a retention of nothing', good.replace('"1y"', '"0y"')],
  ['a retention without a unit', good.replace('"1y"', '"190"')],
  ['a retention in weeks', good.replace('"1y"', '"2w"')],
  ['no id', good.replace(`"id":"${id}",`, '')],
  ['an id in capitals', good.replace(id, id.toUpperCase())],
  ['an id of version 4', good.replace('-7f50-', '-4f50-')],
  ['an id of another variant', good.replace('-8a6b-', '-ca6b-')],
  ['a time with a fraction', good.replace('1764000000123', '1764000000123.5')],
  ['a time with an exponent', good.replace('1764000000123', '1764000000e3')],
  ['a time as text', good.replace('1764000000123', '"1764000000123"')],
  ['a negative time', good.replace('1764000000123', '-1')],
  ['a time that is not safe', good.replace('1764000000123', '9007199254740992')],
  ['no time', good.replace('"ts":1764000000123,', '')],
  ['an empty app', good.replace('"wx0123456789abcdef"', '""')],
  ['an app with a quote', good.replace('wx0123456789abcdef', 'wx\\"')],
  ['an app of null', good.replace('"wx0123456789abcdef"', 'null')],
  ['no commitment in c', good.replace(/"c":\{[^}]+\}/, '"c":{}')],
  ['an unknown group', good.replace('"core":', '"body":')],
  ['a group of the prototype', good.replace('"core":', '"__proto__":')],
  ['a short commitment', good.replace(/"core":"[^"]+"/, '"core":"AAAA"')],
  ['a commitment as a list', good.replace(/"core":"[^"]+"/, '"core":[]')],
  ['no fact in x', good.replace('{"from":1,"n":17,"to":3}', '{}')],
  ['a fact in capitals', good.replace('"n":17', '"N":17')],
  ['a fact of the prototype', good.replace('"from":1', '"__proto__":1')],
  ['a fact with a fraction', good.replace('"n":17', '"n":1.5')],
  ['a fact of minus zero', good.replace('"n":17', '"n":-0')],
  ['a fact of null', good.replace('"n":17', '"n":null')],
  ['a fact of true', good.replace('"n":17', '"n":true')],
  ['a fact in depth', good.replace('"n":17', '"n":{"m":1}')],
  ['a fact that is not ASCII', good.replace('"n":17', '"n":"\\u5348"')],
  ['a fact that is too long', good.replace('"n":17', `"n":"${'a'.repeat(257)}"`)],
])

export const refusedGroups = titled([
  ['nothing', ''],
  ['a list', '[]'],
  ['a space', '{ "a":1}'],
  ['another order', '{"b":1,"a":2}'],
  ['a member twice', '{"a":1,"a":1}'],
  ['a needless escape', '{"a":"\\u0061"}'],
  ['an escape in capitals', '{"a":"\\u000F"}'],
  ['an escaped slash', '{"a":"\\/"}'],
  ['a lone surrogate', '{"a":"\\ud800"}'],
  ['a number with a fraction', '{"a":0.5}'],
  ['a number with an exponent', '{"a":1e3}'],
  ['a number that is not safe', '{"a":9007199254740993}'],
  ['minus zero', '{"a":-0}'],
  ['depth', '{"a":{}}'],
  ['null', '{"a":null}'],
  ['true', '{"a":true}'],
  ['no name', '{"":1}'],
  ['a name in capitals', '{"A":1}'],
  ['a name of the prototype', '{"__proto__":1}'],
  ['a number as a name', '{"1":1}'],
])

/** The example of C2SP signed-note. */
export const exampleKey = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k'

export const refusedVerifierKeys = titled([
  ['nothing', ''],
  ['no name', exampleKey.slice('example.com/foo'.length)],
  ['another name', exampleKey.replace('foo', 'fop')],
  ['a name with a space', exampleKey.replace('foo', 'f o')],
  ['another key id', exampleKey.replace('530d903a', '530d903b')],
  ['a key id in capitals', exampleKey.replace('530d903a', '530D903A')],
  ['another key', exampleKey.replace('Aeky', 'Aekz')],
  ['a type that is not known', exampleKey.replace('+Aeky', '+Beky')],
  ['base64 cut off', exampleKey.slice(0, -4)],
  ['base64 with padding', `${exampleKey.slice(0, -1)}=`],
  ['a line feed', `${exampleKey}\n`],
  ['something behind', `${exampleKey}+AA`],
])

export const refusedNotes = titled([
  ['nothing', ''],
  ['no signature', 'text\n'],
  ['no signature after the empty line', 'text\n\n'],
  ['no empty line', 'text\n\u2014 x AAAAAAA=\n'],
  ['no last line feed', 'text\n\n\u2014 x AAAAAAA='],
  ['an empty line at the end', 'text\n\n\u2014 x AAAAAAA=\n\n'],
  ['a carriage return', 'text\r\n\n\u2014 x AAAAAAA=\n'],
  ['a tab', 'te\txt\n\n\u2014 x AAAAAAA=\n'],
  ['a zero byte', 'te\0xt\n\n\u2014 x AAAAAAA=\n'],
  ['a lone surrogate', 'te\ud800xt\n\n\u2014 x AAAAAAA=\n'],
  ['a lone surrogate in a name', 'text\n\n\u2014 x\udc00 AAAAAAA=\n'],
  ['another dash', 'text\n\n\u2013 x AAAAAAA=\n'],
  ['no dash', 'text\n\nx AAAAAAA=\n'],
  ['no name', 'text\n\n\u2014  AAAAAAA=\n'],
  ['a plus sign in a name', 'text\n\n\u2014 x+y AAAAAAA=\n'],
  ['a space in a name', 'text\n\n\u2014 x y AAAAAAA=\n'],
  ['a space of Unicode in a name', 'text\n\n\u2014 x\u2003y AAAAAAA=\n'],
  ['another space behind the dash', 'text\n\n\u2014\u00a0x AAAAAAA=\n'],
  ['a space at the end of a line', 'text\n\n\u2014 x AAAAAAA= \n'],
  ['no signature in a line', 'text\n\n\u2014 x\n'],
  ['a key id and no signature', 'text\n\n\u2014 x AAAAAA==\n'],
  ['base64 without padding', 'text\n\n\u2014 x AAAAAAA\n'],
  ['base64 with trailing bits', 'text\n\n\u2014 x AAAAAAB=\n'],
  ['base64url', 'text\n\n\u2014 x AAAAAA-=\n'],
  ['65 signatures', `text\n\n${'\u2014 x AAAAAAA=\n'.repeat(65)}`],
  ['too many characters', `${'text\n'.repeat(30000)}\n\u2014 x AAAAAAA=\n`],
])

const root = fixed('root')
const base64 = encodeBase64(root)

/** Texts of notes. */
export const refusedCheckpoints = titled([
  ['nothing', ''],
  ['two lines', `${origin}\n1\n`],
  ['no last line feed', `${origin}\n1\n${base64}`],
  ['no origin', `\n1\n${base64}\n`],
  ['a space in its origin', `pay example\n1\n${base64}\n`],
  ['a plus sign in its origin', `pay+example\n1\n${base64}\n`],
  ['a leading zero', `${origin}\n01\n${base64}\n`],
  ['a sign', `${origin}\n+1\n${base64}\n`],
  ['a negative size', `${origin}\n-1\n${base64}\n`],
  ['a size in hex', `${origin}\n0x1\n${base64}\n`],
  ['a size with an exponent', `${origin}\n1e3\n${base64}\n`],
  ['a size that is not safe', `${origin}\n9007199254740992\n${base64}\n`],
  ['no size', `${origin}\n\n${base64}\n`],
  ['a root of 31 bytes', `${origin}\n1\n${encodeBase64(root.slice(1))}\n`],
  ['a root of 33 bytes', `${origin}\n1\n${encodeBase64(Uint8Array.of(...root, 1))}\n`],
  ['a root without padding', `${origin}\n1\n${base64.slice(0, -1)}\n`],
  ['a root in hex', `${origin}\n1\n${'ab'.repeat(32)}\n`],
  ['an empty line', `${origin}\n1\n${base64}\n\n`],
  ['an empty line between others', `${origin}\n1\n${base64}\n\nmore\n`],
])

export const refusedTilePaths: readonly string[] = [
  '',
  '/tile/0/000',
  'tile/0/000/',
  'tile/0/0',
  'tile/0/00',
  'tile/0/0000',
  'tile/0/x000/000',
  'tile/0/001/002',
  'tile/0/x001',
  'tile/0/X001/002',
  'tile/00/000',
  'tile/64/000',
  'tile/-1/000',
  'tile/8/0/000',
  'tile/8/data/000',
  'tile/data/000',
  'tile/0/000.p/0',
  'tile/0/000.p/256',
  'tile/0/000.p/01',
  'tile/0/000.p',
  'tile/0/000.p/1/',
  'tile/0/000.p/1\n',
  'tile/0/x009/x007/x199/x254/x740/992',
  'tile/0/%30%30%30',
  'tile/0/../0/000',
]

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

export const refusedPolicies = titled([
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

const goodProof = encodeTlogProof({ ...proofOf(5), extra: Uint8Array.of(1) })

export const refusedProofs = titled([
  ['nothing', ''],
  ['another first line', goodProof.replace('@v1', '@v2')],
  ['nothing but its first line', 'c2sp.org/tlog-proof@v1\n'],
  ['a line feed in front', `\n${goodProof}`],
  ['carriage returns', goodProof.replace(/\n/g, '\r\n')],
  ['empty extra data', goodProof.replace('extra AQ==', 'extra ')],
  ['extra data twice', goodProof.replace('extra AQ==', 'extra AQ==\nextra AQ==')],
  ['extra data behind the index', goodProof.replace('extra AQ==\nindex 5', 'index 5\nextra AQ==')],
  ['extra data without padding', goodProof.replace('extra AQ==', 'extra AQ')],
  ['no index', goodProof.replace('index 5\n', '')],
  ['an index with a leading zero', goodProof.replace('index 5', 'index 05')],
  ['a negative index', goodProof.replace('index 5', 'index -5')],
  ['an index that is not safe', goodProof.replace('index 5', 'index 9007199254740992')],
  ['two spaces', goodProof.replace('index 5', 'index  5')],
  ['a hash of 31 bytes', goodProof.replace('index 5\n', `index 5\n${'A'.repeat(40)}AA==\n`)],
  ['64 hashes', goodProof.replace('index 5\n', `index 5\n${`${'A'.repeat(43)}=\n`.repeat(64)}`)],
  ['no empty line', goodProof.replace('\n\n', '\n')],
  ['two empty lines', goodProof.replace('\n\n', '\n\n\n')],
  ['no checkpoint', goodProof.slice(0, goodProof.indexOf('\n\n') + 2)],
  ['something that is no checkpoint', goodProof.replace('\n70\n', '\n070\n')],
  ['a line feed at the end', `${goodProof}\n`],
])
