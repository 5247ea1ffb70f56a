/** Declares commands: the usage text and the parsing of arguments derive from the declaration. */
import { parseArgs } from 'node:util'
import { closest } from '../config/variables.ts'

/** Exit status: 0 success, 1 the check or request failed, 2 usage error, 3 could not run. */
export type ExitCode = 0 | 1 | 2 | 3

/** Input and output of a command; tests pass their own. */
export interface Terminal {
  readonly environment: Readonly<Record<string, string | undefined>>
  out(text: string): void
  err(text: string): void
  /** Waits until standard output has drained; for commands with a lot of output. */
  readonly drain?: () => Promise<void>
  /** Whether standard error is a terminal, so that progress bars are drawn. */
  readonly isInteractive: boolean
}

/** Wrong arguments; exit status 2, with the usage. */
export class UsageError extends Error {}

/** The command could not run; the message is for the operator. Exit status 3. */
export class CommandFailed extends Error {}

type ErrorClass = abstract new (...args: never) => Error

/** Runs `work`; errors of the `expected` classes become CommandFailed with the same message. */
export async function asCommandFailed<T>(
  work: () => T | Promise<T>,
  ...expected: readonly ErrorClass[]
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const isExpected = error instanceof Error && expected.some((type) => error instanceof type)
    throw isExpected ? new CommandFailed(error.message) : error
  }
}

interface ArgumentSpec {
  /** For names that need an explanation. */
  readonly help?: string
  readonly optional?: true
}

interface OptionSpec {
  readonly type: 'boolean' | 'string'
  /** One or more lines. */
  readonly help: string
  readonly short?: string
  /** Placeholder of the value in the usage. */
  readonly value?: string
  readonly default?: string
  readonly choices?: readonly string[]
  readonly multiple?: true
  /** `--name` alone is an empty value; `--name=VALUE` gives one. */
  readonly isValueOptional?: true
}

type Arguments = Readonly<Record<string, ArgumentSpec>>
type Options = Readonly<Record<string, OptionSpec>>

type Text<S> = S extends { choices: readonly (infer C)[] } ? C : string
type OptionValue<S> = S extends { type: 'boolean' }
  ? boolean
  : S extends { multiple: true }
    ? readonly Text<S>[]
    : S extends { default: string }
      ? Text<S>
      : Text<S> | undefined
type ArgumentValue<S> = S extends { optional: true } ? string | undefined : string

/** The arguments and options of `run`, by name. */
export type Values<A, O> = { readonly [N in keyof A]: ArgumentValue<A[N]> } & {
  readonly [N in keyof O]: OptionValue<O[N]>
}

interface CommandSpec<A extends Arguments, O extends Options> {
  /** `keys rotate` */
  readonly name: string
  /** One line of the command list, in the imperative, without a full stop. */
  readonly summary: string
  /** Positional arguments in their order, optional ones last. */
  readonly arguments?: A
  readonly options?: O
  /** Text below the options. */
  readonly notes?: string
  /** The variables of the service that it reads. */
  readonly environment?: readonly string[]
  /** A server keeps running when its standard output is closed. */
  readonly isServer?: true
  run(values: Values<A, O>, terminal: Terminal): Promise<ExitCode>
}

export interface Command {
  readonly name: string
  readonly summary: string
  /** The text of `--help`. */
  readonly usage: string
  readonly isServer?: boolean
  /** @throws UsageError, CommandFailed */
  run(words: readonly string[], terminal: Terminal): Promise<ExitCode>
}

/** Commands that share the first word of their name: `miniseal GROUP COMMAND`. */
export interface CommandGroup {
  readonly name: string
  readonly commands: Readonly<Record<string, Command>>
  run(words: readonly string[], terminal: Terminal): Promise<ExitCode>
}

export function defineCommand<
  const A extends Arguments = Record<never, never>,
  const O extends Options = Record<never, never>,
>(spec: CommandSpec<A, O>): Command {
  const { name, summary, arguments: positional = {}, options = {} } = spec
  return {
    name,
    summary,
    usage: usageOf(spec),
    isServer: spec.isServer === true,
    run: async (words, terminal) =>
      await spec.run(parseWords(words, positional, options) as Values<A, O>, terminal),
  }
}

/** @param commands of one first word */
export function defineGroup(name: string, commands: readonly Command[]): CommandGroup {
  const byName = Object.fromEntries(commands.map((command) => [command.name.slice(name.length + 1), command]))
  return {
    name,
    commands: byName,
    async run([word = '', ...rest], terminal) {
      const command = Object.hasOwn(byName, word) ? byName[word] : undefined
      if (command === undefined)
        throw new UsageError(
          `unknown command ${JSON.stringify(`${name} ${word}`)}${suggestion(word, Object.keys(byName))}`,
        )
      return await command.run(rest, terminal)
    },
  }
}

/** `; did you mean X?`, or empty. */
export function suggestion(word: string, candidates: readonly string[]): string {
  const limit = word.length < 4 ? 1 : Math.max(2, Math.floor(word.length / 3))
  const found = closest(word, candidates, limit)
  return found === undefined ? '' : `; did you mean ${found}?`
}

/**
 * Whether a word is the id of a key or a device (SHA-256 in base64url). It may begin with hyphens, but is not an option.
 */
function isThumbprint(word: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(word)
}

/** Prefix of thumbprints during parsing. */
const mark = 'thumbprint:'

function unmarked(word: string): string {
  return word.startsWith(mark) ? word.slice(mark.length) : word
}

/** @throws UsageError */
function parseWords(
  words: readonly string[],
  positional: Arguments,
  options: Options,
): Readonly<Record<string, unknown>> {
  const { tokens } = parseArgs({
    args: words.map((word) => {
      if (isThumbprint(word)) return mark + word
      return word.startsWith('--') && options[word.slice(2)]?.isValueOptional ? `${word}=` : word
    }),
    options: Object.fromEntries(
      Object.entries(options).map(([name, { type, short }]) => {
        return [name, short === undefined ? { type } : { type, short }]
      }),
    ),
    strict: false,
    tokens: true,
  })
  const values = initialValues(options)
  const given: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') given.push(unmarked(token.value))
    else if (token.kind === 'option') readOption(token, options, values)
  }
  return { ...values, ...readArguments(given, positional) }
}

type OptionToken = Extract<
  NonNullable<ReturnType<typeof parseArgs>['tokens']>[number],
  { readonly kind: 'option' }
>

function initialValues(options: Options): Record<string, unknown> {
  const initial = ({ type, multiple, default: value }: OptionSpec): unknown =>
    type === 'boolean' ? false : multiple ? [] : value
  return Object.fromEntries(Object.entries(options).map(([name, spec]) => [name, initial(spec)]))
}

function readOption(
  { name, rawName, value, inlineValue }: OptionToken,
  options: Options,
  values: Record<string, unknown>,
): void {
  const spec = Object.hasOwn(options, name) ? options[name] : undefined
  if (spec === undefined) {
    const known = Object.keys(options).map((option) => `--${option}`)
    throw new UsageError(`unknown option ${rawName}${suggestion(rawName, known)}`)
  }
  if (spec.type === 'boolean') {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value`)
    values[name] = true
    return
  }
  if (value === undefined || (!inlineValue && value.length > 1 && value.startsWith('-')))
    throw new UsageError(`${rawName} requires a value`)
  const text = unmarked(value)
  if (spec.choices !== undefined && !spec.choices.includes(text)) {
    throw new UsageError(`${rawName} must be ${listOf(spec.choices)}${suggestion(text, spec.choices)}`)
  }
  values[name] = spec.multiple ? [...(values[name] as readonly string[]), text] : text
}

function readArguments(given: readonly string[], positional: Arguments): Record<string, unknown> {
  const names = Object.keys(positional)
  const missing = names.find((name, index) => index >= given.length && positional[name]?.optional !== true)
  if (missing !== undefined) throw new UsageError(`missing argument ${missing.toUpperCase()}`)
  const surplus = given[names.length]
  if (surplus !== undefined) throw new UsageError(`unexpected argument ${JSON.stringify(surplus)}`)
  return Object.fromEntries(names.map((name, index) => [name, given[index]]))
}

/** `a, b or c` */
function listOf(words: readonly string[]): string {
  return words.join(', ').replace(/, ([^,]*)$/, ' or $1')
}

const columnWidth = 24

function usageOf<A extends Arguments, O extends Options>(spec: CommandSpec<A, O>): string {
  const { name, summary, arguments: positional = {}, options = {}, notes, environment } = spec
  const synopsis = Object.entries<ArgumentSpec>(positional).map(([argument, { optional }]) =>
    optional ? `[${argument.toUpperCase()}]` : argument.toUpperCase(),
  )
  const rows = [
    ...Object.entries<ArgumentSpec>(positional).flatMap(([argument, { help }]) =>
      help === undefined ? [] : [row(`  ${argument.toUpperCase()}`, help)],
    ),
    ...Object.entries<OptionSpec>(options).map(([option, optionSpec]) => optionRow(option, optionSpec)),
  ]
  return [
    ['usage: miniseal', name, ...synopsis, ...(Object.keys(options).length > 0 ? ['[options]'] : [])].join(
      ' ',
    ),
    '',
    `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`,
    '',
    ...(rows.length > 0 ? [...rows, ''] : []),
    ...(notes === undefined ? [] : [notes.trim(), '']),
    ...(environment === undefined ? [] : [`Environment, as for the service: ${environment.join(', ')}.`, '']),
  ].join('\n')
}

function optionRow(option: string, spec: OptionSpec): string {
  const { type, help, short, value = 'VALUE', choices, multiple, isValueOptional } = spec
  const placeholder = choices?.join('|') ?? value
  const suffix = type === 'boolean' ? '' : isValueOptional ? `[=${placeholder}]` : ` ${placeholder}`
  const details = [
    ...(multiple ? ['may be repeated'] : []),
    ...(spec.default === undefined ? [] : [`default: ${spec.default}`]),
  ]
  const head = `${short === undefined ? '    ' : `-${short}, `}--${option}${suffix}`
  return row(`  ${head}`, details.length === 0 ? help : `${help} (${details.join('; ')})`)
}

/** Two columns; a wide first column has its own line. */
function row(head: string, help: string): string {
  const indent = ' '.repeat(columnWidth + 2)
  const lines = help.split('\n').join(`\n${indent}`)
  return head.length > columnWidth ? `${head}\n${indent}${lines}` : `${head.padEnd(columnWidth + 2)}${lines}`
}
