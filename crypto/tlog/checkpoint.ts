/**
 * Checkpoints: the size and root of a log, as the text of a signed note (C2SP tlog-checkpoint; protocol, section 12).
 *
 * ```
 * <origin>
 * <size in decimal>
 * <base64 of the root>
 * <extension lines, which Miniseal does not write>
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
  /** Identifies the log; also the name of its signing key. */
  readonly origin: string
  /** Ignored extension lines; absent when empty. */
  readonly extensions?: readonly string[]
}

/** The signed text of a checkpoint. @throws FormatError for an invalid origin, size, root or extension. */
export function encodeCheckpoint({ origin, size, root, extensions = [] }: Checkpoint): string {
  assertKeyName(origin)
  assertTreeSize(size)
  if (root.length !== treeHashLength) throw new FormatError('a root must have 32 bytes')
  if (extensions.some((line) => line === '' || line.includes('\n')))
    throw new FormatError('an extension must be one non-empty line')
  return [origin, `${size}`, encodeBase64(root), ...extensions, ''].join('\n')
}

/**
 * Parses the text of a note as a checkpoint. Rejects origins that are not valid key names, which the specification only
 * discourages.
 * @throws FormatError unless {@link encodeCheckpoint} would write it.
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
  if (encodeCheckpoint(checkpoint) !== text) throw new FormatError('invalid checkpoint')
  return checkpoint
}

/** An integer in decimal without leading zeros. @throws FormatError for anything else, or above 2^53-1. */
export function parseDecimal(text: string): number {
  const value = /^(?:0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value)) throw new FormatError('not a decimal integer')
  return value
}

/** Signs a checkpoint with each key; their names should be the origin. @returns the note. */
export function signCheckpoint(
  primitives: Pick<Primitives, 'sha256' | 'ed25519Sign'>,
  checkpoint: Checkpoint,
  signers: readonly NoteSigner[],
): string {
  const text = encodeCheckpoint(checkpoint)
  return encodeNote({ text, signatures: signers.map((signer) => signNote(primitives, text, signer)) })
}

/** A checkpoint and its note. */
export interface NotedCheckpoint {
  readonly checkpoint: Checkpoint
  readonly note: SignedNote
}

/** A checkpoint with verified signatures of its log. */
export interface VerifiedCheckpoint extends NotedCheckpoint {
  /** The log's own signatures, verified. Other signatures of the note are not verified. */
  readonly logSignatures: readonly NoteSignature[]
}

/** Parses a note as a checkpoint. No signature is verified. @throws FormatError */
export function parseCheckpointNote(note: string): NotedCheckpoint {
  const parsed = parseNote(note)
  return { checkpoint: parseCheckpoint(parsed.text), note: parsed }
}

/**
 * Verifies that a log has signed a checkpoint.
 *
 * @param note attacker-controlled
 * @param keys of logs, with the origin as their name; keys of cosigners are ignored
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
  if (own.length === 0) throw new LogError('origin_wrong', 'the checkpoint belongs to another log')
  const verifiers = own.map((key) => ed25519Verifier(primitives, key))
  return { ...noted, logSignatures: verifyNote(noted.note, verifiers) }
}
