/** Parsing of option values that several commands share. */
import { readFile } from 'node:fs/promises'
import { FormatError } from 'miniseal-protocol/errors'
import { authorityOf } from 'miniseal-protocol/frames/channel-configuration'
import type { VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { parseVerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import type { Language } from '../problems/catalogue.ts'
import type { Terminal } from './command.ts'
import { CommandFailed, UsageError } from './command.ts'

/** Of `--origin`: its host and port. @throws UsageError */
export function authority(origin: string): string {
  try {
    return authorityOf(origin)
  } catch (error) {
    if (error instanceof FormatError)
      throw new UsageError('--origin takes an origin: https://pay.example.com')
    throw error
  }
}

/** The option `--vkey`. */
export const vkeyOption = {
  type: 'string',
  value: 'KEY',
  multiple: true,
  help: 'verifier key of the log or of a witness, from a trusted source',
} as const

/** Of `--vkey`. @throws UsageError */
export function parseVkey(text: string): VerifierKey {
  try {
    return parseVerifierKey(sodiumPrimitives, text)
  } catch {
    throw new UsageError('--vkey takes a verifier key: name+hash+key, as miniseal keys export prints it')
  }
}

/** The option `--lang`. */
export const languageOption = {
  type: 'string',
  choices: ['zh-CN', 'en'],
  help: 'language of the output (default: from LANG)',
} as const

/** The language of `--lang`, else of the variable LANG. */
export function languageOf(given: Language | undefined, { environment }: Terminal): Language {
  return given ?? (environment.LANG?.startsWith('zh') === true ? 'zh-CN' : 'en')
}

/** @throws CommandFailed when the file cannot be read. */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path))
  } catch {
    throw new CommandFailed(`${path} cannot be read`)
  }
}
