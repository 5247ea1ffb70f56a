/**
 * Checkpoints: how large a log is and what its root is, as the text of a signed note (C2SP tlog-checkpoint; protocol,
 * section 12).
 *
 * ```
 * <origin>
 * <size in decimal>
 * <base64 of the root>
 * <extension lines, none of ours>
 * ```
 */
import { FormatError, LogError, refuseLogFormat } from '../errors.ts'
import type { Primitives } from '../primitives/primitives.ts'
import { decodeBase64, encodeBase64 } from '../text.ts'
import type { TreeHead } from './merkle.ts'
import { assertTreeSize, treeHashLength } from './merkle.ts'
import type { NoteSignature, NoteSigner, SignedNote, VerifierKey } from './signed-note.ts'
import { assertKeyName, ed25519Verifier, encodeNote, parseNote, signNote, verifyNote } from './signed-note.ts'

export interface Checkpoint extends TreeHead {
  /** Which log; the name of the key that signs for it. */
  readonly origin: string
  /** Extension lines, which have no meaning here; absent when empty. */
  readonly extensions?: readonly string[]
}

/** The text of a checkpoint, as it is signed. @throws FormatError for an origin, size, root or line that has no form. */
export function encodeCheckpoint({ origin, size, root, extensions = [] }: Checkpoint): string {
  assertKeyName(origin)
  assertTreeSize(size)
  if (root.length !== treeHashLength) throw new FormatError('a root has 32 bytes')
  if (extensions.some((line) => line === '' || line.includes('\n')))
    throw new FormatError('an extension of a checkpoint is a line')
  return [origin, `${size}`, encodeBase64(root), ...extensions, ''].join('\n')
}

/**
 * Reads the text of a note as a checkpoint. Origins that are not valid key names are refused, though the specification
 * only advises against them.
 * @throws FormatError unless it is what {@link encodeCheckpoint} writes.
 */
export function parseCheckpoint(text: string): Checkpoint {
  const lines = text.split('\n')
  const [origin = '', size = '', root = ''] = lines
  const extensions = lines.slice(3, -1)
  const checkpoint: Checkpoint = {
    origin,
    size: parseDecimal(size),
    root: decodeBase64(root),
    ...(extensions.length === 0 ? {} : { extensions }),
  }
  if (encodeCheckpoint(checkpoint) !== text) throw new FormatError('not a checkpoint')
  return checkpoint
}

/** A count in decimal without leading zeros. @throws FormatError for another form, or above 2^53-1. */
export function parseDecimal(text: string): number {
  const value = /^(?:0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value)) throw new FormatError('not a count in decimal')
  return value
}

/** Signs a checkpoint with each of the keys; their names should be the origin. @returns the whole note. */
export function signCheckpoint(
  primitives: Pick<Primitives, 'sha256' | 'ed25519Sign'>,
  checkpoint: Checkpoint,
  signers: readonly NoteSigner[],
): string {
  const text = encodeCheckpoint(checkpoint)
  return encodeNote({ text, signatures: signers.map((signer) => signNote(primitives, text, signer)) })
}

/** A checkpoint in its note. */
export interface NotedCheckpoint {
  readonly checkpoint: Checkpoint
  readonly note: SignedNote
}

/** A checkpoint that its log has signed. */
export interface VerifiedCheckpoint extends NotedCheckpoint {
  /** The log's own signatures, all of them right; nothing is known of the others in the note. */
  readonly logSignatures: readonly NoteSignature[]
}

/** Reads a whole note as a checkpoint; nothing of it is verified. @throws FormatError */
export function parseCheckpointNote(note: string): NotedCheckpoint {
  const parsed = parseNote(note)
  return { checkpoint: parseCheckpoint(parsed.text), note: parsed }
}

/**
 * Checks that a log has signed a checkpoint.
 *
 * @param note attacker-controlled
 * @param keys of one log, all with its origin as their name; keys of cosigners are not for this
 * @throws LogError `note_malformed`, `origin_wrong` for a checkpoint of another log, `signature_missing`,
 *   `signature_wrong`
 */
export function verifyCheckpoint(
  primitives: Pick<Primitives, 'sha256' | 'ed25519Verify'>,
  note: string,
  keys: readonly VerifierKey[],
): VerifiedCheckpoint {
  const noted = refuseLogFormat('note_malformed', () => parseCheckpointNote(note))
  const own = keys.filter(({ kind, name }) => kind === 'ed25519' && name === noted.checkpoint.origin)
  if (own.length === 0) throw new LogError('origin_wrong', 'the checkpoint is of another log')
  const verifiers = own.map((key) => ed25519Verifier(primitives, key))
  return { ...noted, logSignatures: verifyNote(noted.note, verifiers) }
}
