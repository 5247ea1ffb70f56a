/** Verifier keys, notes, checkpoints, and paths of tiles that must be refused, for tests and for the test vectors. */
import { encodeBase64 } from '../../../crypto/text.ts'
import { fixed } from './fixed-inputs.ts'
import { origin } from './note-inputs.ts'
import type { RefusedText } from './refused-leaves.ts'
import { titled } from './refused-leaves.ts'

/** The example of C2SP signed-note. */
export const exampleKey = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k'

export const refusedVerifierKeys: readonly RefusedText[] = titled([
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

export const refusedNotes: readonly RefusedText[] = titled([
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
export const refusedCheckpoints: readonly RefusedText[] = titled([
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
  `tile/0/${'x999/'.repeat(1000)}000`,
  'tile/0/%30%30%30',
  'tile/0/../0/000',
]
