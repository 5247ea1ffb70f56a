/** Mistakes that signers make with the base itself: what they sign is near RFC 9421, section 2.5, and is not it. */
import { createHash } from 'node:crypto'
import type { MessageId } from './words-en.ts'

export interface BaseMistake {
  /** A row of the table of words. */
  readonly id: MessageId
  readonly base: string
  /** What is signed, where it is not the text. */
  readonly bytes?: Uint8Array
}

/** @param label of the signature */
export function baseMistakes(base: string, label: string): readonly BaseMistake[] {
  const query = /\n"@query": (.*)\n/.exec(base)?.[1] ?? '?'
  const path = /\n"@path": (.*)\n/.exec(base)?.[1] ?? ''
  const last = base.lastIndexOf('\n')
  const found: readonly BaseMistake[] = [
    { id: 'base-newline', base: `${base}\n` },
    { id: 'base-crlf', base: base.replaceAll('\n', '\r\n') },
    { id: 'base-hashed', base, bytes: hash(base) },
    { id: 'base-hex', base, bytes: Buffer.from(hash(base).toString('hex')) },
    { id: 'base-query', base: base.replace(`\n"@query": ${query}\n`, `\n"@query": ${query.slice(1)}\n`) },
    { id: 'base-query', base: base.replace(`\n"@query": ${query}\n`, '\n') },
    { id: 'base-path', base: base.replace(`\n"@path": ${path}\n`, `\n"@path": ${path}${query}\n`) },
    { id: 'base-params', base: base.slice(0, Math.max(0, last)) },
    { id: 'base-label', base: base.replace('"@signature-params": ', `"@signature-params": ${label}=`) },
    { id: 'base-quotes', base: base.replace(/^"([^"]+)": /gm, '$1: ') },
    { id: 'base-colon', base: base.replace(/^("[^"]+"): /gm, '$1:') },
  ]
  return found.filter((mistake) => mistake.bytes !== undefined || mistake.base !== base)
}

function hash(base: string): Buffer {
  return createHash('sha256').update(base, 'latin1').digest()
}
