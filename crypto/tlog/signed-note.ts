/**
 * Signed notes (C2SP signed-note; protocol, section 12).
 *
 * ```
 * <text, including its last line feed>
 * <empty line>
 * — <key name> <base64 of key id(4) ‖ signature>          one line or more
 * ```
 *
 * A verifier key names a trusted signer: `<key name>+<hex of key id>+<base64 of type ‖ public key>`.
 */
import { concatBytes, equalBytes } from '../bytes.ts'
import { FormatError, LogError } from '../errors.ts'
import type { Primitives } from '../primitives/primitives.ts'
import { decodeBase64, encodeBase64, encodeHex, encodeUtf8 } from '../text.ts'

/** Characters of a note: enough for a checkpoint with 16 post-quantum signatures. */
const maxNoteLength = 131072
const maxSignatures = 64
const keyIdLength = 4
const publicKeyLength = 32

/** Unicode's White_Space, and the plus sign. */
const outsideNames = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000+]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: matches the control characters that notes must not contain
const controlCharacters = /[\0-\x09\x0b-\x1f]/

/** The type byte of a key in verifier keys and key ids. */
export const noteKeyTypes = { ed25519: 0x01, cosignature: 0x04 } as const
export type NoteKeyKind = keyof typeof noteKeyTypes

/** The public key of a trusted signer. */
export interface VerifierKey {
  readonly kind: NoteKeyKind
  /** The key name. A log uses its origin. */
  readonly name: string
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array
}

/** One signature line. */
export interface NoteSignature {
  readonly name: string
  /** 4 bytes. */
  readonly keyId: Uint8Array
  /** The bytes after the key id, at least one. The type of the key defines their format. */
  readonly signature: Uint8Array
}

export interface SignedNote {
  /** The signed text, including its last line feed. */
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

/** Verifies signatures of one key. */
export interface NoteVerifier {
  readonly name: string
  /** 4 bytes. */
  readonly keyId: Uint8Array
  /** Returns false for an invalid signature and never throws. Both arguments are attacker-controlled. */
  verify(text: string, signature: Uint8Array): boolean
}

/** A key pair that signs notes. */
export interface NoteSigner {
  readonly name: string
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** 64 bytes, as in `Ed25519KeyPair`. */
  readonly secretKey: Uint8Array
}

/** @throws FormatError unless the name is valid: not empty, no space, no plus sign, no control character. */
export function assertKeyName(name: string): void {
  if (name === '' || outsideNames.test(name) || controlCharacters.test(name))
    throw new FormatError('invalid key name')
  encodeUtf8(name)
}

/** `SHA-256(name ‖ 0x0a ‖ type ‖ public key)[:4]`. */
export function noteKeyId(primitives: Pick<Primitives, 'sha256'>, key: VerifierKey): Uint8Array {
  const type = Uint8Array.of(0x0a, noteKeyTypes[key.kind])
  return primitives.sha256(concatBytes(encodeUtf8(key.name), type, key.publicKey)).slice(0, keyIdLength)
}

/** The text form of a verifier key. @throws FormatError for an invalid name or a public key of another length. */
export function encodeVerifierKey(primitives: Pick<Primitives, 'sha256'>, key: VerifierKey): string {
  assertKeyName(key.name)
  if (key.publicKey.length !== publicKeyLength) throw new FormatError('a public key must have 32 bytes')
  const typed = concatBytes(Uint8Array.of(noteKeyTypes[key.kind]), key.publicKey)
  return `${key.name}+${encodeHex(noteKeyId(primitives, key))}+${encodeBase64(typed)}`
}

/** @throws FormatError for a malformed key, a type other than 0x01 and 0x04, or a key id that does not match the key. */
export function parseVerifierKey(primitives: Pick<Primitives, 'sha256'>, text: string): VerifierKey {
  const [, name = '', typed = ''] = /^([^+]+)\+[0-9a-f]{8}\+([A-Za-z0-9+/]{44})$/.exec(text) ?? []
  const bytes = decodeBase64(typed)
  const kind = (Object.keys(noteKeyTypes) as NoteKeyKind[]).find((kind) => noteKeyTypes[kind] === bytes[0])
  if (kind === undefined) throw new FormatError('unknown type of verifier key')
  const key: VerifierKey = { kind, name, publicKey: bytes.slice(1) }
  if (encodeVerifierKey(primitives, key) !== text) throw new FormatError('wrong key id')
  return key
}

/** @throws FormatError for an invalid text, name or number of signatures. */
export function encodeNote({ text, signatures }: SignedNote): string {
  assertNoteText(text)
  if (signatures.length < 1 || signatures.length > maxSignatures)
    throw new FormatError('a note must have 1 to 64 signatures')
  const note = `${text}\n${signatures.map(encodeSignatureLine).join('')}`
  if (note.length > maxNoteLength) throw new FormatError('the note is too long')
  return note
}

/**
 * Parses an attacker-controlled note without verifying its signatures.
 * @throws FormatError unless {@link encodeNote} would write exactly this text.
 */
export function parseNote(note: string): SignedNote {
  if (note.length > maxNoteLength) throw new FormatError('the note is too long')
  const end = note.lastIndexOf('\n\n')
  if (end < 0) throw new FormatError('a note needs an empty line')
  const text = note.slice(0, end + 1)
  assertNoteText(text)
  return { text, signatures: parseSignatureLines(note.slice(end + 2)) }
}

/** Parses 1 to 64 signature lines, each with its line feed. @throws FormatError */
export function parseSignatureLines(lines: string): readonly NoteSignature[] {
  if (!lines.endsWith('\n')) throw new FormatError('a note must end with a line feed')
  const split = lines.slice(0, -1).split('\n')
  if (split.length > maxSignatures) throw new FormatError('a note must have 1 to 64 signatures')
  return split.map(parseSignatureLine)
}

/** `— name base64` and a line feed. @throws FormatError for an invalid name, key id or signature. */
export function encodeSignatureLine({ name, keyId, signature }: NoteSignature): string {
  assertKeyName(name)
  if (keyId.length !== keyIdLength || signature.length === 0) throw new FormatError('invalid note signature')
  return `\u2014 ${name} ${encodeBase64(concatBytes(keyId, signature))}\n`
}

function parseSignatureLine(line: string): NoteSignature {
  const [dash, name = '', digits = '', ...more] = line.split(' ')
  if (dash !== '\u2014' || more.length > 0) throw new FormatError('invalid signature line')
  assertKeyName(name)
  const bytes = decodeBase64(digits)
  if (bytes.length <= keyIdLength) throw new FormatError('a signature is too short')
  return { name, keyId: bytes.slice(0, keyIdLength), signature: bytes.slice(keyIdLength) }
}

function assertNoteText(text: string): void {
  if (!text.endsWith('\n')) throw new FormatError('the text of a note must end with a line feed')
  if (controlCharacters.test(text)) throw new FormatError('a note must not contain control characters')
  encodeUtf8(text)
}

/** Signs the text of a note with an Ed25519 key (type 0x01). */
export function signNote(
  primitives: Pick<Primitives, 'sha256' | 'ed25519Sign'>,
  text: string,
  signer: NoteSigner,
): NoteSignature {
  assertNoteText(text)
  const { name, publicKey, secretKey } = signer
  const keyId = noteKeyId(primitives, { kind: 'ed25519', name, publicKey })
  return { name, keyId, signature: primitives.ed25519Sign(encodeUtf8(text), secretKey) }
}

/** Verifies signatures of type 0x01: Ed25519 over the text. */
export function ed25519Verifier(
  primitives: Pick<Primitives, 'sha256' | 'ed25519Verify'>,
  key: { readonly name: string; readonly publicKey: Uint8Array },
): NoteVerifier {
  return {
    name: key.name,
    keyId: noteKeyId(primitives, { kind: 'ed25519', ...key }),
    verify: (text, signature) => primitives.ed25519Verify(signature, encodeUtf8(text), key.publicKey),
  }
}

/**
 * Verifies a note. Ignores signatures of unknown keys, even if they share the name or the id of a known key.
 *
 * @returns the signatures of known keys, all of them valid.
 * @throws LogError `signature_wrong` if a signature of a known key is invalid; `signature_missing` if no known key signed.
 */
export function verifyNote(note: SignedNote, verifiers: readonly NoteVerifier[]): readonly NoteSignature[] {
  const known = knownSignatures(note, verifiers)
  if (known.length === 0) throw new LogError('signature_missing', 'no signature of a known key')
  return known
}

/**
 * The signatures of known keys, all of them valid; empty if no known key signed.
 * @throws LogError `signature_wrong`
 */
export function knownSignatures(
  note: SignedNote,
  verifiers: readonly NoteVerifier[],
): readonly NoteSignature[] {
  return note.signatures.filter((signature) => {
    const verifier = verifiers.find(({ name, keyId }) => isSignedBy(signature, name, keyId))
    if (verifier === undefined) return false
    if (verifier.verify(note.text, signature.signature)) return true
    throw new LogError('signature_wrong', 'a signature of a known key does not verify')
  })
}

function isSignedBy(signature: NoteSignature, name: string, keyId: Uint8Array): boolean {
  return signature.name === name && equalBytes(signature.keyId, keyId)
}
