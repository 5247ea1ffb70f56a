/** A proof that an entry is in a log, as a file (C2SP tlog-proof): `<name>.tlog-proof`. */
import { FormatError } from '../../../crypto/errors.ts'
import { decodeBase64, encodeBase64 } from '../../../crypto/text.ts'

const firstLine = 'c2sp.org/tlog-proof@v1'

/** More than any tree's height. */
const longestPath = 63

export interface TlogProof {
  readonly index: number
  /** The leaf's sibling first. */
  readonly path: readonly Uint8Array[]
  /** The signed note, with cosignatures. */
  readonly checkpoint: string
}

/** The text of a proof. */
export function encodeTlogProof({ index, path, checkpoint }: TlogProof): string {
  return [firstLine, `index ${index}`, ...path.map(encodeBase64), '', checkpoint].join('\n')
}

/** Reads an attacker-controlled proof; the checkpoint in it stays unread. @throws FormatError for another form */
export function parseTlogProof(text: string): TlogProof {
  const end = text.indexOf('\n\n')
  const [first, second = '', ...hashes] = text.slice(0, Math.max(end, 0)).split('\n')
  const [, digits] = /^index (0|[1-9][0-9]{0,15})$/.exec(second) ?? []
  if (first !== firstLine || digits === undefined || hashes.length > longestPath) {
    throw new FormatError('not a proof')
  }
  const path = hashes.map(decodeBase64)
  if (path.some((hash) => hash.length !== 32)) throw new FormatError('a hash of another length')
  return { index: Number(digits), path, checkpoint: text.slice(end + 2) }
}
