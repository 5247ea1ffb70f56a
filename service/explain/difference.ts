/** Where two signature bases part. */

export interface Difference {
  /** Of the first byte that differs, from 0. */
  readonly offset: number
  /** From 1. */
  readonly line: number
  /** From 1, within the line. */
  readonly column: number
  /** The component of that line, for example `@path`; empty where the line names none. */
  readonly component: string
  /** The bytes there; `undefined` at the end of a text. */
  readonly ours: number | undefined
  readonly theirs: number | undefined
}

/** `undefined` for equal texts. */
export function differenceOf(ours: string, theirs: string): Difference | undefined {
  if (ours === theirs) return undefined
  const one = Buffer.from(ours, 'utf8')
  const two = Buffer.from(theirs, 'utf8')
  let offset = 0
  while (offset < one.length && one[offset] === two[offset]) offset++
  const before = one.subarray(0, offset)
  const start = before.lastIndexOf(0x0a) + 1
  const line = before.toString('latin1').split('\n').length
  const lineText = (text: string): string => text.split('\n')[line - 1] ?? ''
  const component = /^"([^"]{1,64})"/.exec(lineText(ours) || lineText(theirs))?.[1] ?? ''
  return { offset, line, column: offset - start + 1, component, ours: one[offset], theirs: two[offset] }
}
