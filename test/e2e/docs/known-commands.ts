/** Checks that the npm scripts, commands of `miniseal`, options, files and variables of a shell block exist. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { loadCommands } from '../../../service/cli/dispatch.ts'
import { knownVariables } from '../../../service/config/variables.ts'
import { root } from './documents.ts'
import type { SimpleCommand } from './shell.ts'

const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>
}

/** Third-party programs; only their name is checked. */
const foreign = new Set([
  'git',
  'openssl',
  'printf',
  'chmod',
  'chown',
  'mkdir',
  'cd',
  'tail',
  'basenc',
  'tr',
  'export',
])

/** The fault of a command, or `undefined`. @param saved files that the page tells readers to save */
export function findFault(command: SimpleCommand, saved: readonly string[]): string | undefined {
  for (const [name] of command.variables) {
    if (name.startsWith('MINISEAL_') && !knownVariables.includes(name)) return `there is no variable ${name}`
  }
  const [program, ...args] = command.words
  switch (program) {
    case undefined:
      return undefined
    case 'npm':
      return npmFault(args)
    case 'npx':
      return npxFault(args, saved)
    case 'docker':
      return dockerFault(args)
    case 'export':
      return args
        .map((word) => findFault({ variables: [[word.split('=')[0] ?? '', '']], words: [] }, saved))
        .find(Boolean)
    case 'node':
    case 'python3':
    case 'java':
      return fileFault(args[0], saved)
    case 'go':
      return args[0] === 'run' ? fileFault(args[1], saved) : `go ${args[0]} is not checked`
    case 'curl':
      return args.some((word) => /^https?:\/\//.test(word)) ? undefined : 'curl without an address'
    default:
      return foreign.has(program) ? undefined : `the program ${program} is not known here`
  }
}

function npxFault([program, ...args]: readonly string[], saved: readonly string[]): string | undefined {
  const [first] = args.filter((word) => !word.startsWith('-'))
  switch (program) {
    case 'miniseal':
      return minisealFault(args)
    case 'tsx':
    case 'vitest':
      return fileFault(program === 'vitest' && first === 'run' ? args.find(isPath) : first, saved)
    case 'stryker':
      return undefined
    default:
      return `npx ${program} is not ours`
  }
}

const isPath = (word: string): boolean => word.includes('/')

function npmFault([verb, ...args]: readonly string[]): string | undefined {
  if (verb === 'ci' || verb === 'install' || verb === 'pack') return undefined
  const name = verb === 'run' ? args[0] : verb
  const script = name === undefined ? undefined : scripts[name]
  if (script === undefined) return `there is no npm script ${name}`
  const files = [...script.matchAll(/\S+\.(?:ts|js)/g)]
    // `npm run bench -- attacks` is bench/attacks.ts.
    .flatMap(([file]) => [file, ...['options', ...args].map((name) => join(dirname(file), `${name}.ts`))])
    .filter((file) => existsSync(join(root, file)))
    .map((file) => readFileSync(join(root, file), 'utf8'))
  const options = args.filter((word) => /^--\w/.test(word)).map((word) => word.slice(2))
  const unknown = options.find((option) => !files.some((text) => text.includes(option)))
  return unknown === undefined ? undefined : `npm run ${name} has no option --${unknown}`
}

const commands = new Map((await loadCommands()).map((command) => [command.name, command]))

function minisealFault([name, ...rest]: readonly string[]): string | undefined {
  if (name === '--help' || name === undefined) return undefined
  const [second, ...others] = rest
  const isGroup = [...commands.keys()].some((known) => known.startsWith(`${name} `))
  if (isGroup && second === '--help') return undefined
  const command = commands.get(isGroup ? `${name} ${second}` : name)
  if (command === undefined) return `there is no command ${name} ${second}`
  const option = (isGroup ? others : rest).find((word) => {
    const [flag = ''] = word.split('=')
    return /^--?[a-z]/.test(flag) && !new RegExp(`(^|[^\\w-])${flag}\\b`).test(command.usage)
  })
  return option === undefined ? undefined : `${command.name} has no option ${option}`
}

function dockerFault([verb, action, ...rest]: readonly string[]): string | undefined {
  if (verb !== 'compose') return `docker ${verb} is not checked`
  if (action === 'up') return undefined
  const [service = '', ...inside] = rest
  const compose = readFileSync(join(root, 'compose.yaml'), 'utf8')
  if (action !== 'exec' || !compose.includes(`  ${service}:`)) return `compose.yaml has no service ${service}`
  return inside[0] === 'node' && inside[1] === 'service/bin/miniseal.js'
    ? minisealFault(inside.slice(2))
    : 'not ours'
}

function fileFault(file: string | undefined, saved: readonly string[]): string | undefined {
  if (file === undefined) return 'no file'
  return saved.includes(file) || existsSync(join(root, file)) ? undefined : `there is no file ${file}`
}
