/** Options and arguments that several commands share. */
import { readFile } from 'node:fs/promises'
import { FormatError } from 'miniseal-protocol/errors'
import { authorityOf } from 'miniseal-protocol/frames/channel-configuration'
import type { VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { parseVerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import type { Language } from '../problems/catalogue.ts'
import type { Terminal } from './command.ts'
import { CommandFailed, UsageError } from './command.ts'

/** The host and port of `--origin`. @throws UsageError */
export function authority(origin: string): string {
  try {
    return authorityOf(origin)
  } catch (error) {
    if (error instanceof FormatError)
      throw new UsageError('--origin must be an origin such as https://pay.example.com')
    throw error
  }
}

/** The argument USER. */
export const userArgument = { help: 'pairwise subject, as backends receive it (u_…)' } as const

/** The option `--json`. */
export const jsonOption = { type: 'boolean', help: 'print JSON' } as const

/** The option `--host`. */
export const hostOption = {
  type: 'string',
  value: 'HOST',
  default: '127.0.0.1',
  help: 'address to listen on',
} as const

/** Parses `--port`. @throws UsageError */
export function parsePort(text: string): number {
  if (!/^[0-9]{1,5}$/.test(text) || Number(text) > 65535)
    throw new UsageError('--port must be a number from 0 to 65535')
  return Number(text)
}

/** The option `--vkey`. */
export const vkeyOption = {
  type: 'string',
  value: 'KEY',
  multiple: true,
  help: 'verifier key of the log or of a witness, from a trusted source',
} as const

/** Parses `--vkey`. @throws UsageError */
export function parseVkey(text: string): VerifierKey {
  try {
    return parseVerifierKey(sodiumPrimitives, text)
  } catch {
    throw new UsageError('--vkey must be a verifier key NAME+HASH+KEY, as printed by miniseal keys export')
  }
}

/** The option `--lang`. */
export const languageOption = {
  type: 'string',
  choices: ['zh-CN', 'en'],
  help: 'output language (default: from LANG)',
} as const

/** The language of `--lang`, or of the variable LANG. */
export function languageOf(given: Language | undefined, { environment }: Terminal): Language {
  return given ?? (environment.LANG?.startsWith('zh') === true ? 'zh-CN' : 'en')
}

/** @throws CommandFailed if the file cannot be read */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path))
  } catch {
    throw new CommandFailed(`${path} cannot be read`)
  }
}
