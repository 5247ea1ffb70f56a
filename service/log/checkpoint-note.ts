/** A signed checkpoint: the note that says how large the log is and what its root is (C2SP tlog-checkpoint, signed-note). */
import { equalBytes } from '../../crypto/bytes.ts'
import { decodeBase64, encodeBase64, encodeUtf8 } from '../../crypto/text.ts'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'

export interface Checkpoint {
  readonly origin: string
  readonly size: number
  /** 32 bytes. */
  readonly root: Uint8Array
}

const typeEd25519 = 1
const dash = '\u2014'

/** Signs a checkpoint with each key, one line a key; the key's name is the log's origin. */
export function signCheckpoint(
  checkpoint: Checkpoint,
  keys: readonly { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array }[],
): string {
  const { origin, size, root } = checkpoint
  const text = `${origin}\n${size}\n${encodeBase64(root)}\n`
  const lines = keys.map(({ publicKey, secretKey }) => {
    const signature = sodiumPrimitives.ed25519Sign(encodeUtf8(text), secretKey)
    return `${dash} ${origin} ${encodeBase64(Uint8Array.of(...keyId(origin, publicKey), ...signature))}\n`
  })
  return `${text}\n${lines.join('')}`
}

/** Reads what a note states, whoever signed it. @throws Error for any other form. */
export function parseCheckpointNote(note: string): Checkpoint {
  const [, origin = '', size = '', root = ''] =
    /^([^\s+]+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n\n(?:\u2014 [^\s+]+ [A-Za-z0-9+/=]+\n)+$/.exec(
      note,
    ) ?? []
  if (origin === '' || !Number.isSafeInteger(Number(size))) throw new Error('not a signed checkpoint')
  return { origin, size: Number(size), root: decodeBase64(root) }
}

/** Whether one of the keys signed the note, and none that is named there failed to. */
export function isSignedBy(note: string, origin: string, publicKeys: readonly Uint8Array[]): boolean {
  const end = note.lastIndexOf('\n\n') + 1
  const text = encodeUtf8(note.slice(0, end))
  const verdicts = note
    .slice(end + 1)
    .split('\n')
    .flatMap((line) => {
      const [mark, name, signature] = line.split(' ')
      if (mark !== dash || name !== origin || signature === undefined) return []
      const bytes = decodeBase64(signature)
      const key = publicKeys.find((candidate) => equalBytes(keyId(origin, candidate), bytes.slice(0, 4)))
      return key === undefined ? [] : [sodiumPrimitives.ed25519Verify(bytes.slice(4), text, key)]
    })
  return verdicts.length > 0 && verdicts.every((verdict) => verdict)
}

function keyId(name: string, publicKey: Uint8Array): Uint8Array {
  return sodiumPrimitives
    .sha256(Uint8Array.of(...encodeUtf8(name), 0x0a, typeEd25519, ...publicKey))
    .slice(0, 4)
}
