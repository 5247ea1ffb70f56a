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
  binaryTarget('frame', {
    seeds: [...frames.frames, ...frames.refused].map(({ frame }) => decodeHex(frame)),
    refusals: protocol,
    parse: (bytes) => parseFrame(bytes, maxFrame),
    encode: encodeFrame,
  }),
  binaryTarget('binary-http-request', {
    seeds: [...encoded(messages.requests), ...encoded(messages.refused)].flatMap((bytes) => [
      bytes,
      padMessage(bytes),
    ]),
    refusals: format,
    parse: parseRequest,
    encode: encodeRequest,
    form: 'padded',
  }),
  binaryTarget('binary-http-response', {
    seeds: [...encoded(messages.responses), ...encoded(messages.tolerated), ...encoded(messages.refused)],
    refusals: format,
    parse: parseResponse,
    encode: encodeResponse,
    form: 'padded',
  }),
  binaryTarget('varint', {
    seeds: [0, 63, 64, 16383, 16384, 2 ** 30, Number.MAX_SAFE_INTEGER].map(encodeVarint),
    refusals: format,
    parse: (bytes) => readVarint(bytes, 0),
    encode: ({ value }) => encodeVarint(value),
    form: 'stable',
  }),
  binaryTarget('entry-bundle', {
    seeds: [
      Uint8Array.of(2, ...encodeBundle([new Uint8Array(3), new Uint8Array(300)])),
      Uint8Array.of(1, 0, 0),
    ],
    refusals: format,
    parse: (bytes) => parseBundle(bytes.subarray(1), bytes[0] ?? 1),
    encode: (entries) => concatBytes(Uint8Array.of(entries.length % 256), encodeBundle(entries)),
  }),
  binaryTarget('leaf', {
    seeds: [...log.leaves.map(({ leaf }) => leaf), ...log.refused_leaves.map(({ text }) => text)].map(
      encodeUtf8,
    ),
    refusals: format,
    parse: parseLeaf,
    encode: encodeLeaf,
  }),
  binaryTarget('group', {
    seeds: [...log.groups.map(({ group }) => group), ...log.refused_groups.map(({ text }) => text)].map(
      encodeUtf8,
    ),
    refusals: format,
    parse: parseGroup,
    encode: encodeGroup,
  }),
  binaryTarget('utf-8', {
    seeds: [encodeUtf8('午饭 a\u0000'), Uint8Array.of(0xed, 0xa0, 0x80)],
    refusals: format,
    parse: decodeUtf8,
    encode: encodeUtf8,
  }),
  binaryTarget('ascii', {
    seeds: [encodeUtf8('abc ~')],
    refusals: format,
    parse: decodeAscii,
    encode: encodeAscii,
  }),
]

const dictionaries = [
  'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:',
  'sig=("@method" "@path";req "content-type";key="a");created=1764000000;nonce="AAAA";tag="miniseal", b=?1;c, d=(1 2.5 a/b :YQ==:)',
  'a=1, a=2,\tb=-0.1;x="\\"\\\\"',
]

const texts: readonly Target[] = [
  textTarget('dictionary', {
    seeds: dictionaries,
    refusals: format,
    parse: parseDictionary,
    encode: serializeDictionary,
    form: 'stable',
  }),
  textTarget('item', {
    seeds: ['"a";b=1', '?0', ':YQ==:', '-999999999999999', '1.5', 'token/x:*', '"\\""'],
    refusals: format,
    parse: parseItem,
    encode: serializeItem,
    form: 'stable',
  }),
  textTarget('content-digest', {
    seeds: dictionaries,
    refusals: format,
    parse: (text) => verifyContentDigest(primitives, text, new Uint8Array(0)),
  }),
  textTarget('configuration', {
    seeds: [...configuration.accepted, ...configuration.refused].map(({ jws }) => jws),
    refusals: protocol,
    parse: (text) => verifyConfiguration(primitives, text, roots, now),
  }),
  textTarget('note', { seeds: [note], refusals: format, parse: parseNote, encode: encodeNote }),
  textTarget('verifier-key', {
    seeds: [encodeVerifierKey(primitives, logKey), encodeVerifierKey(primitives, witness('w1').key)],
    refusals: format,
    parse: (text) => parseVerifierKey(primitives, text),
    encode: (key) => encodeVerifierKey(primitives, key),
  }),
  textTarget('checkpoint', {
    seeds: [
      note.slice(0, note.indexOf('\n\n') + 1),
      'a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nmore\n',
    ],
    refusals: format,
    parse: parseCheckpoint,
    encode: encodeCheckpoint,
  }),
  textTarget('checkpoint-note', { seeds: [note], refusals: format, parse: parseCheckpointNote }),
  textTarget('decimal', {
    seeds: ['0', '1', '9007199254740991', '9007199254740992', '01'],
    refusals: format,
    parse: parseDecimal,
    encode: String,
  }),
  textTarget('tile-path', {
    seeds: [...log.tile_paths.map(({ path }) => path), ...log.refused_tile_paths],
    refusals: format,
    parse: parseTilePath,
    encode: tilePath,
  }),
  textTarget('tlog-proof', {
    seeds: [proof],
    refusals: format,
    parse: parseTlogProof,
    encode: encodeTlogProof,
  }),
  textTarget('tlog-policy', {
    seeds: [encodePolicy(primitives, policy), '# none\nlog a\nquorum none\n'],
    refusals: format,
    parse: (text) => parsePolicy(primitives, text),
    encode: (read) => encodePolicy(primitives, read),
    form: 'stable',
  }),
  textTarget('base64', {
    seeds: ['', 'YQ==', 'YWI=', 'YWJj+/A='],
    refusals: format,
    parse: decodeBase64,
    encode: encodeBase64,
  }),
  textTarget('base64url', {
    seeds: ['', 'YQ', 'YWI', 'YWJj-_A'],
    refusals: format,
    parse: decodeBase64Url,
    encode: encodeBase64Url,
  }),
  textTarget('hex', { seeds: ['', '00ff7a'], refusals: format, parse: decodeHex, encode: encodeHex }),
]

export const cryptoTargets: readonly Target[] = [...binary, ...texts]
