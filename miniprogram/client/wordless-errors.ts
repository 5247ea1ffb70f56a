/**
 * Takes the developer texts out of errors: on a phone nobody reads them. Those of the curves are caught or cannot
 * happen, those of `crypto/` become one `not_verified` whatever they say, and a `ChannelError` says its code instead.
 */
import { readFile } from 'node:fs/promises'
import type { Plugin } from 'esbuild'

/** Classes, and which of their arguments is the text. */
const positions: ReadonlyMap<string, number> = new Map([
  ['Error', 0],
  ['TypeError', 0],
  ['RangeError', 0],
  ['FormatError', 0],
  ['ProtocolError', 1],
  ['LogError', 1],
  ['ChannelError', 1],
])

const construction = /\bnew (\w*Error)\(/g

/** The plugin, for the files that match `filter`. */
export function wordlessErrors(filter: RegExp): Plugin {
  return {
    name: 'wordless-errors',
    setup(build) {
      build.onLoad({ filter }, async ({ path }) => {
        return { contents: withoutWords(await readFile(path, 'utf8')), loader: 'ts' }
      })
    },
  }
}

/**
 * JavaScript or TypeScript with no text, or an empty one, in every error that it makes.
 * @throws Error when the arguments of one do not end.
 */
export function withoutWords(source: string): string {
  let result = ''
  let copied = 0
  for (const match of source.matchAll(construction)) {
    const position = positions.get(match[1] ?? '')
    const start = match.index + match[0].length
    if (position === undefined || match.index < copied) continue
    const { args, end } = argumentsAt(source, start)
    result += source.slice(copied, start)
    const left = args.length === position + 1 ? args.slice(0, position) : args
    result += left.map((argument, index) => (index === position ? "''" : argument)).join(',')
    copied = end
  }
  return result + source.slice(copied)
}

/** The arguments of a call that opens just before `start`; `end` is where its `)` stands. */
function argumentsAt(source: string, start: number): { readonly args: string[]; readonly end: number } {
  const args: string[] = []
  let depth = 0
  let from = start
  for (let at = start; at < source.length; at++) {
    const character = source.charAt(at)
    if (`'"\``.includes(character)) at = endOfText(source, at)
    else if ('([{'.includes(character)) depth++
    else if (depth > 0 && ')]}'.includes(character)) depth--
    else if (depth === 0 && ',)'.includes(character)) {
      args.push(source.slice(from, at))
      from = at + 1
      if (character === ')') return { args, end: at }
    }
  }
  throw new Error('the arguments of an error do not end')
}

/** Where the text that begins at `start` ends. Texts inside a template's `${}` must not hold a backtick. */
function endOfText(source: string, start: number): number {
  const quote = source.charAt(start)
  for (let at = start + 1; at < source.length; at++) {
    if (source.charAt(at) === '\\') at++
    else if (source.charAt(at) === quote) return at
  }
  throw new Error('a text does not end')
}
