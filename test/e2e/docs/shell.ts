/** Parses the shell of the documents: simple commands, quotes, `&&`, `|`, `>` and comments. */

export interface SimpleCommand {
  readonly variables: readonly (readonly [name: string, value: string])[]
  /** The program and its arguments without quotes; `$NAME` and `$(…)` are not expanded. */
  readonly words: readonly string[]
  /** The target of `>`. */
  readonly output?: string
}

/** @throws Error for other syntax */
export function parseShell(text: string): readonly SimpleCommand[] {
  const joined = text.replace(/\\\n\s*/g, ' ').replace(placeholder, 'PLACEHOLDER')
  return joined.split('\n').flatMap((line) => parts(tokens(line)).map(commandOf))
}

/** `<user>`, `<root key>`, `<Ed25519 public key, base64url>`: values that a reader inserts. */
const placeholder = /<[A-Za-z][A-Za-z0-9, ]*>/g

interface Token {
  readonly kind: 'word' | 'operator'
  readonly text: string
}

const space = /\s+/y
const comment = /#.*/y
const operator = /&&|;|\||>/y
const word = /(?:'[^']*'|"(?:\\.|[^"\\])*"|\$\([^)]*\)|[^\s'"#;&|>]|(?<=\S)#)+/y

function tokens(line: string): readonly Token[] {
  const found: Token[] = []
  let at = 0
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    const match = pattern.exec(line)?.[0]
    if (match !== undefined) at += match.length
    return match
  }
  while (at < line.length) {
    if (take(space) !== undefined || take(comment) !== undefined) continue
    const sign = take(operator)
    const text = sign ?? take(word)
    if (text === undefined) throw new Error(`cannot read the shell line ${line}`)
    found.push({ kind: sign === undefined ? 'word' : 'operator', text })
  }
  return found
}

function parts(all: readonly Token[]): readonly (readonly Token[])[] {
  const commands: Token[][] = [[]]
  for (const token of all) {
    if (token.kind === 'operator' && token.text !== '>') commands.push([])
    else commands.at(-1)?.push(token)
  }
  return commands.filter((each) => each.length > 0)
}

function commandOf(all: readonly Token[]): SimpleCommand {
  const redirect = all.findIndex(({ kind }) => kind === 'operator')
  const target = all[redirect + 1]
  const words = all
    .filter((_, i) => redirect === -1 || (i !== redirect && i !== redirect + 1))
    .map(({ text }) => text)
  const first = words.findIndex((text) => !/^[A-Za-z_]\w*=/.test(text))
  const own = first === -1 ? words : words.slice(0, first)
  return {
    variables: own.map((text) => [
      text.slice(0, text.indexOf('=')),
      unquoted(text.slice(text.indexOf('=') + 1)),
    ]),
    words: words.slice(own.length).map(unquoted),
    ...(redirect === -1 || target === undefined ? {} : { output: unquoted(target.text) }),
  }
}

function unquoted(text: string): string {
  return text.replace(/'([^']*)'|"((?:\\.|[^"\\])*)"/g, (_, single?: string, double?: string) => {
    return single ?? (double ?? '').replace(/\\(.)/g, '$1')
  })
}
