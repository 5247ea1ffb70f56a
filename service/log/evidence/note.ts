/**
 * Signed notes, checkpoints and cosignatures as a verifier reads them (C2SP signed-note, tlog-checkpoint,
 * tlog-cosignature). Everything here is attacker-controlled.
 */
import { concatBytes, equalBytes, parseU64 } from '../../../crypto/bytes.ts'
import { FormatError } from '../../../crypto/errors.ts'
import { decodeBase64, decodeHex, encodeUtf8 } from '../../../crypto/text.ts'
import { sodiumPrimitives } from '../../keys/sodium-primitives.ts'

/** Bytes of the longest note, and its most signatures: far more than any log has witnesses. */
const longestNote = 65_536
const mostSignatures = 100

/** 0x01: the log's own signature. 0x04: a witness's cosignature, with the time of it. */
export type NoteKeyKind = 'ed25519' | 'cosignature'

export interface NoteKey {
  readonly name: string
  readonly kind: NoteKeyKind
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** The first 4 bytes of a digest of all of this. */
  readonly id: Uint8Array
}

export interface SignedNote {
  /** With its last newline: exactly what the log's key signs. */
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

export interface NoteSignature {
  readonly name: string
  readonly keyId: Uint8Array
  readonly signature: Uint8Array
}

/** What a checkpoint states. */
export interface CheckpointText {
  readonly origin: string
  readonly size: number
  /** 32 bytes. */
  readonly root: Uint8Array
}

const keyKinds: Readonly<Record<number, NoteKeyKind>> = { 1: 'ed25519', 4: 'cosignature' }

/** @throws FormatError for what is no note. */
export function parseNote(note: string): SignedNote {
  const end = note.lastIndexOf('\n\n')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the specification forbids exactly these
  if (end < 0 || note.length > longestNote || /[\u0000-\u0009\u000b-\u001f]/.test(note)) {
    throw new FormatError('not a signed note')
  }
  const lines = note.slice(end + 2).split('\n')
  if (lines.pop() !== '' || lines.length === 0 || lines.length > mostSignatures) {
    throw new FormatError('not a signed note')
  }
  return { text: note.slice(0, end + 1), signatures: lines.map(parseSignatureLine) }
}

function parseSignatureLine(line: string): NoteSignature {
  const [, name, digits] = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/=]+)$/.exec(line) ?? []
  if (name === undefined || digits === undefined) throw new FormatError('not a signature line')
  const bytes = decodeBase64(digits)
  if (bytes.length < 5) throw new FormatError('a signature without its key id')
  return { name, keyId: bytes.slice(0, 4), signature: bytes.slice(4) }
}

/** Reads `name+hex(key id)+base64(type ‖ key)`. @throws FormatError for another form, or an id that is not the key's. */
export function parseVerifierKey(text: string): NoteKey {
  const [, name, hex, digits] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text) ?? []
  if (name === undefined || hex === undefined || digits === undefined) {
    throw new FormatError('not a verifier key')
  }
  const typed = decodeBase64(digits)
  const kind = keyKinds[typed[0] ?? 0]
  if (kind === undefined || typed.length !== 33) throw new FormatError('not a verifier key of a known type')
  const key = noteKey(name, kind, typed.slice(1))
  if (!equalBytes(key.id, decodeHex(hex))) throw new FormatError('a verifier key whose id is another key’s')
  return key
}

/** The key of this name. */
export function noteKey(name: string, kind: NoteKeyKind, publicKey: Uint8Array): NoteKey {
  const type = kind === 'ed25519' ? 1 : 4
  const hashed = concatBytes(encodeUtf8(name), Uint8Array.of(0x0a, type), publicKey)
  return { name, kind, publicKey, id: sodiumPrimitives.sha256(hashed).slice(0, 4) }
}

/** What the known keys say of a note. */
export interface NoteVerdict {
  readonly good: readonly { readonly key: NoteKey; readonly cosignedAt: number | undefined }[]
  /** A known key is named, and did not sign this: the note is to be refused, whatever else is good. */
  readonly bad: readonly NoteKey[]
}

/** Verifies every signature of a known key; those of unknown keys are passed over. */
export function verifyNote({ text, signatures }: SignedNote, keys: readonly NoteKey[]): NoteVerdict {
  const good: { key: NoteKey; cosignedAt: number | undefined }[] = []
  const bad: NoteKey[] = []
  for (const { name, keyId, signature } of signatures) {
    const key = keys.find((candidate) => candidate.name === name && equalBytes(candidate.id, keyId))
    if (key === undefined) continue
    const verdict = verifyOne(text, signature, key)
    if (verdict === undefined) bad.push(key)
    else good.push({ key, ...verdict })
  }
  return { good, bad }
}

function verifyOne(
  text: string,
  signature: Uint8Array,
  { kind, publicKey }: NoteKey,
): { readonly cosignedAt: number | undefined } | undefined {
  if (kind === 'ed25519') {
    const isGood = sodiumPrimitives.ed25519Verify(signature, encodeUtf8(text), publicKey)
    return isGood ? { cosignedAt: undefined } : undefined
  }
  if (signature.length !== 72) return undefined
  try {
    const cosignedAt = parseU64(signature.slice(0, 8))
    const message = encodeUtf8(`cosignature/v1\ntime ${cosignedAt}\n${text}`)
    return sodiumPrimitives.ed25519Verify(signature.slice(8), message, publicKey) ? { cosignedAt } : undefined
  } catch {
    return undefined
  }
}

/** Reads the text of a checkpoint; extension lines are refused, no log of ours has any. @throws FormatError */
export function parseCheckpoint(text: string): CheckpointText {
  const [, origin, size, root] = /^([^\s+]+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n$/.exec(text) ?? []
  if (
    origin === undefined ||
    size === undefined ||
    root === undefined ||
    !Number.isSafeInteger(Number(size))
  ) {
    throw new FormatError('not a checkpoint')
  }
  return { origin, size: Number(size), root: decodeBase64(root) }
}
