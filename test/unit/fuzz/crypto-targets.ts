/** The parsers of `crypto/`: all that they read is attacker-controlled. */

import { concatBytes } from '../../../crypto/bytes.ts'
import { FormatError, ProtocolError } from '../../../crypto/errors.ts'
import {
  encodeRequest,
  encodeResponse,
  parseRequest,
  parseResponse,
} from '../../../crypto/frames/binary-http.ts'
import { verifyConfiguration } from '../../../crypto/frames/channel-configuration.ts'
import { encodeFrame, parseFrame } from '../../../crypto/frames/frame.ts'
import { padMessage } from '../../../crypto/frames/padding.ts'
import { encodeVarint, readVarint } from '../../../crypto/frames/varint.ts'
import { verifyContentDigest } from '../../../crypto/http-signatures/content-digest.ts'
import {
  parseDictionary,
  parseItem,
  serializeDictionary,
  serializeItem,
} from '../../../crypto/http-signatures/structured-fields.ts'
import {
  decodeAscii,
  decodeBase64,
  decodeBase64Url,
  decodeHex,
  decodeUtf8,
  encodeAscii,
  encodeBase64,
  encodeBase64Url,
  encodeHex,
  encodeUtf8,
} from '../../../crypto/text.ts'
import { encodeGroup, encodeLeaf, parseGroup, parseLeaf } from '../../../crypto/tlog/audit-leaf.ts'
import {
  encodeCheckpoint,
  parseCheckpoint,
  parseCheckpointNote,
  parseDecimal,
} from '../../../crypto/tlog/checkpoint.ts'
import {
  encodeNote,
  encodeVerifierKey,
  parseNote,
  parseVerifierKey,
} from '../../../crypto/tlog/signed-note.ts'
import { encodeBundle, parseBundle, parseTilePath, tilePath } from '../../../crypto/tlog/tiles.ts'
import { encodePolicy, parsePolicy } from '../../../crypto/tlog/tlog-policy.ts'
import { encodeTlogProof, parseTlogProof } from '../../../crypto/tlog/tlog-proof.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { readVectors } from '../../conformance/vectors/read-vectors.ts'
import { maxFrame, now } from '../crypto/fixed-inputs.ts'
import { policy, proofOf } from '../crypto/fixed-log.ts'
import { logKey, witness } from '../crypto/note-inputs.ts'
import { binaryTarget, type Target, textTarget } from './target.ts'

const frames = readVectors('frames')
const messages = readVectors('messages')
const configuration = readVectors('configuration')
const log = readVectors('log')
const format = [FormatError]
const protocol = [ProtocolError]
const encoded = (list: readonly { readonly encoded: string }[]): readonly Uint8Array[] =>
  list.map((entry) => decodeHex(entry.encoded))

const proof = encodeTlogProof(proofOf(3))
const note = proofOf(3).checkpoint
const roots = [decodeHex(configuration.root.public_key)]

const binary: readonly Target[] = [
  binaryTarget(
    'frame',
    protocol,
    [...frames.frames, ...frames.refused].map(({ frame }) => decodeHex(frame)),
    (bytes) => parseFrame(bytes, maxFrame),
    encodeFrame,
  ),
  binaryTarget(
    'binary-http-request',
    format,
    [...encoded(messages.requests), ...encoded(messages.refused)].flatMap((bytes) => [
      bytes,
      padMessage(bytes),
    ]),
    parseRequest,
    encodeRequest,
    'padded',
  ),
  binaryTarget(
    'binary-http-response',
    format,
    [...encoded(messages.responses), ...encoded(messages.tolerated), ...encoded(messages.refused)],
    parseResponse,
    encodeResponse,
    'padded',
  ),
  binaryTarget(
    'varint',
    format,
    [0, 63, 64, 16383, 16384, 2 ** 30, Number.MAX_SAFE_INTEGER].map(encodeVarint),
    (bytes) => readVarint(bytes, 0),
    ({ value }) => encodeVarint(value),
    'stable',
  ),
  binaryTarget(
    'entry-bundle',
    format,
    [Uint8Array.of(2, ...encodeBundle([new Uint8Array(3), new Uint8Array(300)])), Uint8Array.of(1, 0, 0)],
    (bytes) => parseBundle(bytes.subarray(1), bytes[0] ?? 1),
    (entries) => concatBytes(Uint8Array.of(entries.length % 256), encodeBundle(entries)),
  ),
  binaryTarget(
    'leaf',
    format,
    [...log.leaves.map(({ leaf }) => leaf), ...log.refused_leaves.map(({ text }) => text)].map(encodeUtf8),
    parseLeaf,
    encodeLeaf,
  ),
  binaryTarget(
    'group',
    format,
    [...log.groups.map(({ group }) => group), ...log.refused_groups.map(({ text }) => text)].map(encodeUtf8),
    parseGroup,
    encodeGroup,
  ),
  binaryTarget(
    'utf-8',
    format,
    [encodeUtf8('午饭 a\u0000'), Uint8Array.of(0xed, 0xa0, 0x80)],
    decodeUtf8,
    encodeUtf8,
  ),
  binaryTarget('ascii', format, [encodeUtf8('abc ~')], decodeAscii, encodeAscii),
]

const dictionaries = [
  'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:',
  'sig=("@method" "@path";req "content-type";key="a");created=1764000000;nonce="AAAA";tag="miniseal", b=?1;c, d=(1 2.5 a/b :YQ==:)',
  'a=1, a=2,\tb=-0.1;x="\\"\\\\"',
]

const texts: readonly Target[] = [
  textTarget('dictionary', format, dictionaries, parseDictionary, serializeDictionary, 'stable'),
  textTarget(
    'item',
    format,
    ['"a";b=1', '?0', ':YQ==:', '-999999999999999', '1.5', 'token/x:*', '"\\""'],
    parseItem,
    serializeItem,
    'stable',
  ),
  textTarget('content-digest', format, dictionaries, (text) =>
    verifyContentDigest(primitives, text, new Uint8Array(0)),
  ),
  textTarget(
    'configuration',
    protocol,
    [...configuration.accepted, ...configuration.refused].map(({ jws }) => jws),
    (text) => verifyConfiguration(primitives, text, roots, now),
  ),
  textTarget('note', format, [note], parseNote, encodeNote),
  textTarget(
    'verifier-key',
    format,
    [encodeVerifierKey(primitives, logKey), encodeVerifierKey(primitives, witness('w1').key)],
    (text) => parseVerifierKey(primitives, text),
    (key) => encodeVerifierKey(primitives, key),
  ),
  textTarget(
    'checkpoint',
    format,
    [note.slice(0, note.indexOf('\n\n') + 1), 'a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nmore\n'],
    parseCheckpoint,
    encodeCheckpoint,
  ),
  textTarget('checkpoint-note', format, [note], parseCheckpointNote),
  textTarget(
    'decimal',
    format,
    ['0', '1', '9007199254740991', '9007199254740992', '01'],
    parseDecimal,
    String,
  ),
  textTarget(
    'tile-path',
    format,
    [...log.tile_paths.map(({ path }) => path), ...log.refused_tile_paths],
    parseTilePath,
    tilePath,
  ),
  textTarget('tlog-proof', format, [proof], parseTlogProof, encodeTlogProof),
  textTarget(
    'tlog-policy',
    format,
    [encodePolicy(primitives, policy), '# none\nlog a\nquorum none\n'],
    (text) => parsePolicy(primitives, text),
    (read) => encodePolicy(primitives, read),
    'stable',
  ),
  textTarget('base64', format, ['', 'YQ==', 'YWI=', 'YWJj+/A='], decodeBase64, encodeBase64),
  textTarget('base64url', format, ['', 'YQ', 'YWI', 'YWJj-_A'], decodeBase64Url, encodeBase64Url),
  textTarget('hex', format, ['', '00ff7a'], decodeHex, encodeHex),
]

export const cryptoTargets: readonly Target[] = [...binary, ...texts]
