/** The tables in docs/internals/benchmarks.md, between two markers. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const path = fileURLToPath(new URL('../../docs/internals/benchmarks.md', import.meta.url))

const begin = '<!-- bench: begin -->'
const end = '<!-- bench: end -->'

/** `document` with other text between its markers. @throws Error when they are not there, once each and in order. */
export function withTables(document: string, text: string): string {
  const [before, inside, ...more] = document.split(begin)
  const [, after, ...rest] = inside?.split(end) ?? []
  if (before === undefined || after === undefined || more.length + rest.length > 0)
    throw new Error(`docs/internals/benchmarks.md must hold ${begin} and ${end}, once each`)
  return `${before}${begin}\n\n${text.trimEnd()}\n\n${end}${after}`
}

export function writeDocs(text: string): void {
  writeFileSync(path, withTables(readFileSync(path, 'utf8'), text))
}
