/** Names of members that never leave the bundle, so that it may give them shorter ones. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Members of noble and tweetnacl. None is looked up by a text, and none is a name of the platform. */
const ofLibraries: readonly string[] = [
  ...['multiplyUnsafe', 'multiply', 'subtract', 'isTorsionFree', 'toAffine', 'fromAffine', 'precompute'],
  ...['wnafPrecomputes', 'baseCanBeBlinded', 'getWnafPrecomputes', 'buildWnafTable', 'wnafCachedCT'],
  ...['mulUnsafe', 'mulSecret', 'assertPoint', 'validateMulInput', 'fixedWindowCT', 'shouldBlind'],
  ...['setWindowSize', 'isValidNot0', 'negate', 'scalarMultBase', 'scalarMult', 'getSharedSecret'],
  ...['pow_p_5_8', 'nByteLength', 'nBitLength', 'getExtendedPublicKey', 'randomSecretKey', 'pointBytes'],
  ...['unpack25519', 'pack25519', 'pow2523', 'scalarmult', 'lowlevel', 'fromSeed', 'detached', 'leftover'],
  ...['cleanSavedState', 'restoreState', 'saveState', 'bytesHashed', 'bufferLength', 'secretbox'],
  ...['blockSize', 'digestLength', 'adjustScalarBytes', 'powPminus2', 'allowedLengths', 'modFromBytes'],
  ...['outputLen', 'prehash', 'getPublicKey', 'uvRatio', 'domain', 'zip215', 'comp', 'windows', 'scalar'],
  ...['ORDER', 'BYTES', 'BITS', 'ZERO', 'BASE', 'Point', 'isValid', 'randomBytes', 'toBytes', 'fromBytes'],
  ...['addN', 'subN', 'mulN', 'sqrN', 'isLE', 'double', 'clearCofactor', 'isSmallOrder'],
  ...['mulCTBlinded', 'toMontgomerySecret', 'toMontgomery', 'isValidSecretKey', 'isValidPublicKey'],
]

/** Shared by modules of `crypto/` and the client, part of no type that is exported to mini programs. */
const ofModules: readonly string[] = [
  ...[
    'isUnsafe',
    'ephemeral',
    'labels',
    'configurations',
    'boxNonceLength',
    'signatureNonceLength',
    'minimumPlaintext',
    'sessionIdLength',
  ],
  ...['keyHintLength', 'boxTagLength', 'handshakeResponse', 'handshakeRequest', 'serviceToClient'],
  ...['clientToService', 'nonceAndBox', 'requestNonce', 'keyHint', 'plaintextHash', 'requestHash'],
  ...['isAtEnd', 'readVector', 'readNumber', 'readItem', 'readDictionary', 'keyLength', 'currentState'],
  ...['isEmpty', 'useFor', 'findKept', 'sendOn', 'lifetime', 'effects', 'stream', 'position', 'isOver'],
  ...['responseKey', 'agreementKey', 'keepFresh', 'needsToken', 'useToken', 'newerThan'],
]

const privateMember = /^\s*private (?:static |readonly |async |get )*(?!async\b|get\b)(\w{4,})\b/gm
const exportedModule = /from '\.\/([\w/-]+\.ts)'/g
const classMember = /^ {2}(?:readonly |get |async )*\w+/gm
const exportedShape = /^(?:export )?(?:interface|class) [\s\S]*?^\}/gm

/** Between modules too, though a newer language or a shape of another file has such a name. */
const inSpite: readonly string[] = [
  'loadPrimitives',
  ...['take', 'kind', 'params', 'offset', 'isUnsafe', 'clock', 'queue', 'wire', 'nonce', 'info', 'ready'],
  ...['sessionId', 'token', 'created', 'update', 'blocks', 'clean', 'seconds', 'learn'],
]

/** Members of JSON documents that are read by these very names. */
const onWire: readonly string[] = [
  'current',
  'session',
  'device',
  'user',
  'event',
  'events',
  'entries',
  'headers',
]

/** Shapes that mini programs and WeChat know, beside those that `index.ts` exports. */
const outside: readonly string[] = [
  'miniprogram/client/wx.ts',
  'crypto/primitives.ts',
  'crypto/binary-http.ts',
]

/**
 * The private members of `crypto/` and the client, and those that are listed here; none that is also a name in a shape
 * that mini programs, WeChat or the wire know.
 *
 * @param root the repository's
 */
export async function internalNames(root: string): Promise<readonly string[]> {
  const sources = await Promise.all((await sourceFiles(root)).map((path) => readFile(path, 'utf8')))
  const declared = sources.flatMap((source) =>
    [...source.matchAll(privateMember)].map(([, name = '']) => name),
  )
  const taken = await outsideWords(root)
  const names = [...declared, ...ofLibraries, ...ofModules].filter((name) => !taken.has(name))
  return [...new Set([...names, ...inSpite])]
}

/** What the language itself calls its members: `Object.entries`, for example. */
function languageNames(): readonly string[] {
  const basics: readonly object[] = [
    Object,
    Function,
    Array,
    String,
    Number,
    BigInt,
    Symbol,
    Error,
    RegExp,
    Date,
  ]
  const others: readonly object[] = [Promise, Map, Set, WeakMap, ArrayBuffer, Uint8Array, Math, JSON]
  const typedArray: object = Object.getPrototypeOf(Uint8Array)
  return [...basics, ...others, typedArray].flatMap((value) => {
    const prototype: unknown = Reflect.get(value, 'prototype')
    return [...Object.getOwnPropertyNames(value), ...Object.getOwnPropertyNames(Object(prototype))]
  })
}

async function outsideWords(root: string): Promise<ReadonlySet<string>> {
  const index = await readFile(join(root, 'miniprogram/client/index.ts'), 'utf8')
  const exported = [...index.matchAll(exportedModule)].map(([, path]) => `miniprogram/client/${path}`)
  const words = new Set<string>([...languageNames(), ...onWire])
  for (const path of [...exported, ...outside]) {
    const shapes = (await readFile(join(root, path), 'utf8')).replace(/^\s*(?:private|\*|\/\*\*).*$/gm, '')
    for (const [shape] of shapes.matchAll(exportedShape)) {
      // Of a class its members, not what its methods use.
      const names =
        shape.startsWith('interface') || shape.startsWith('export interface') ? /\w+/g : classMember
      for (const word of shape.match(names) ?? []) words.add(word.trim().split(' ').pop() ?? word)
    }
  }
  return words
}

async function sourceFiles(root: string): Promise<readonly string[]> {
  const folders = ['crypto', 'miniprogram/client', 'miniprogram/client/transports']
  const lists = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(join(root, folder))).map((name) => join(root, folder, name)),
    ),
  )
  return lists.flat().filter((path) => path.endsWith('.ts'))
}
