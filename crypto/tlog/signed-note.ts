/**
 * Signed notes (C2SP signed-note; protocol, section 12).
 *
 * ```
 * <text, its last line feed included>
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

/** Characters of a whole note: 16 post-quantum signatures and a little text fit. */
const maxNoteLength = 131072
const maxSignatures = 64
const keyIdLength = 4
const publicKeyLength = 32

/** Unicode's White_Space, and the plus sign. */
const outsideNames = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000+]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a note may not have
const controlCharacters = /[\0-\x09\x0b-\x1f]/

/** What a key signs, by its type byte in verifier keys and key ids. */
export const noteKeyTypes = { ed25519: 0x01, cosignature: 0x04 } as const
export type NoteKeyKind = keyof typeof noteKeyTypes

/** Whose signatures count. */
export interface VerifierKey {
  readonly kind: NoteKeyKind
  /** For a log its origin. */
  readonly name: string
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array
}

/** One signature line. */
export interface NoteSignature {
  readonly name: string
  /** 4 bytes. */
  readonly keyId: Uint8Array
  /** What follows the key id, at least one byte; what it means depends on the key. */
  readonly signature: Uint8Array
}

export interface SignedNote {
  /** What is signed, its last line feed included. */
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

/** Checks the signatures of one key. */
export interface NoteVerifier {
  readonly name: string
  /** 4 bytes. */
  readonly keyId: Uint8Array
  /** False, never an exception, for anything but a right signature. Attacker-controlled arguments. */
  verify(text: string, signature: Uint8Array): boolean
}

/** The signer. */
export interface NoteSigner {
  readonly name: string
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** 64 bytes, as in `Ed25519KeyPair`. */
  readonly secretKey: Uint8Array
}

/** @throws FormatError unless a key may have this name: not empty, no space, no plus sign, no control character. */
export function assertKeyName(name: string): void {
  if (name === '' || outsideNames.test(name) || controlCharacters.test(name))
    throw new FormatError('not the name of a note key')
  encodeUtf8(name)
}

/** `SHA-256(name ‖ 0x0a ‖ type ‖ public key)[:4]`. */
export function noteKeyId(primitives: Pick<Primitives, 'sha256'>, key: VerifierKey): Uint8Array {
  const type = Uint8Array.of(0x0a, noteKeyTypes[key.kind])
  return primitives.sha256(concatBytes(encodeUtf8(key.name), type, key.publicKey)).slice(0, keyIdLength)
}

/** The text of a verifier key. @throws FormatError for a name that no key may have, or a key without 32 bytes. */
export function encodeVerifierKey(primitives: Pick<Primitives, 'sha256'>, key: VerifierKey): string {
  assertKeyName(key.name)
  if (key.publicKey.length !== publicKeyLength) throw new FormatError('a public key has 32 bytes')
  const typed = concatBytes(Uint8Array.of(noteKeyTypes[key.kind]), key.publicKey)
  return `${key.name}+${encodeHex(noteKeyId(primitives, key))}+${encodeBase64(typed)}`
}

/** @throws FormatError for another form, a type other than 0x01 and 0x04, or a key id that is not the key's. */
export function parseVerifierKey(primitives: Pick<Primitives, 'sha256'>, text: string): VerifierKey {
  const [, name = '', typed = ''] = /^([^+]+)\+[0-9a-f]{8}\+([A-Za-z0-9+/]{44})$/.exec(text) ?? []
  const bytes = decodeBase64(typed)
  const kind = (Object.keys(noteKeyTypes) as NoteKeyKind[]).find((kind) => noteKeyTypes[kind] === bytes[0])
  if (kind === undefined) throw new FormatError('not a verifier key of a known type')
  const key: VerifierKey = { kind, name, publicKey: bytes.slice(1) }
  if (encodeVerifierKey(primitives, key) !== text) throw new FormatError('the key id is not that of the key')
  return key
}

/** @throws FormatError for a text, a name or a number of signatures that no note may have. */
export function encodeNote({ text, signatures }: SignedNote): string {
  assertNoteText(text)
  if (signatures.length < 1 || signatures.length > maxSignatures)
    throw new FormatError('a note has 1 to 64 signatures')
  const note = `${text}\n${signatures.map(encodeSignatureLine).join('')}`
  if (note.length > maxNoteLength) throw new FormatError('the note is too long')
  return note
}

/**
 * Reads an attacker-controlled note; nothing of it is verified.
 * @throws FormatError unless it is what {@link encodeNote} writes.
 */
export function parseNote(note: string): SignedNote {
  if (note.length > maxNoteLength) throw new FormatError('the note is too long')
  const end = note.lastIndexOf('\n\n')
  if (end < 0) throw new FormatError('a note without an empty line')
  const text = note.slice(0, end + 1)
  assertNoteText(text)
  return { text, signatures: parseSignatureLines(note.slice(end + 2)) }
}

/** Reads 1 to 64 signature lines, each with its line feed. @throws FormatError for anything else. */
export function parseSignatureLines(lines: string): readonly NoteSignature[] {
  if (!lines.endsWith('\n')) throw new FormatError('a note without a last line feed')
  const split = lines.slice(0, -1).split('\n')
  if (split.length > maxSignatures) throw new FormatError('a note has 1 to 64 signatures')
  return split.map(parseSignatureLine)
}

/** `— name base64` and a line feed. @throws FormatError for a name that no key may have. */
export function encodeSignatureLine({ name, keyId, signature }: NoteSignature): string {
  assertKeyName(name)
  if (keyId.length !== keyIdLength || signature.length === 0)
    throw new FormatError('not a signature of a note')
  return `\u2014 ${name} ${encodeBase64(concatBytes(keyId, signature))}\n`
}

function parseSignatureLine(line: string): NoteSignature {
  const [dash, name = '', digits = '', ...more] = line.split(' ')
  if (dash !== '\u2014' || more.length > 0) throw new FormatError('not a signature line')
  assertKeyName(name)
  const bytes = decodeBase64(digits)
  if (bytes.length <= keyIdLength) throw new FormatError('a signature is too short')
  return { name, keyId: bytes.slice(0, keyIdLength), signature: bytes.slice(keyIdLength) }
}

function assertNoteText(text: string): void {
  if (!text.endsWith('\n')) throw new FormatError('the text of a note ends with a line feed')
  if (controlCharacters.test(text)) throw new FormatError('a note with a control character')
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

/** Checks signatures of type 0x01: plain Ed25519 over the text. */
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
 * Checks a note. Signatures of unknown keys are ignored, also when they share the name or the id of a known one.
 *
 * @returns the signatures of known keys, all of them right.
 * @throws LogError `signature_wrong` when a signature of a known key does not verify; `signature_missing` without one.
 */
export function verifyNote(note: SignedNote, verifiers: readonly NoteVerifier[]): readonly NoteSignature[] {
  const known = knownSignatures(note, verifiers)
  if (known.length === 0) throw new LogError('signature_missing', 'no known key has signed')
  return known
}

/**
 * The signatures of known keys, all of them right; empty where none of them has signed.
 * @throws LogError `signature_wrong`
 */
export function knownSignatures(
  note: SignedNote,
  verifiers: readonly NoteVerifier[],
): readonly NoteSignature[] {
  return note.signatures.filter((signature) => {
    const verifier = verifiers.find(({ name, keyId }) => isOf(signature, name, keyId))
    if (verifier === undefined) return false
    if (verifier.verify(note.text, signature.signature)) return true
    throw new LogError('signature_wrong', 'a signature of a known key is wrong')
  })
}

function isOf(signature: NoteSignature, name: string, keyId: Uint8Array): boolean {
  return signature.name === name && equalBytes(signature.keyId, keyId)
}
