import type { Capture, ExplainOptions, KnownKey, Locale } from 'miniseal-verify/explain'
import { en, explainCapture, interactiveBudget, jsonOf, printReport } from 'miniseal-verify/explain'
import {
  maxCapture,
  readCapture,
  readKeys,
  secondsOf,
  UnreadableCapture,
  UnreadableKey,
} from '../../explain/inputs.ts'
import { zhCN } from '../../explain/locales/zh-CN.ts'
import { printProblem, problemJson } from '../../explain/problem.ts'
import type { Language } from '../../problems/catalogue.ts'
import type { ExitCode, Terminal, Values } from '../command.ts'
import { CommandFailed, defineCommand, UsageError } from '../command.ts'
import { currentTime } from '../database.ts'
import { authority, jsonOption, languageOf, languageOption, readBytes } from '../option-values.ts'

const locales: Readonly<Record<Language, Locale>> = { en, 'zh-CN': zhCN }

const options = {
  request: { type: 'string', value: 'FILE', help: 'request of the response or problem document' },
  problem: {
    type: 'string',
    value: 'FILE',
    help: 'problem document of the request; in development with the computed values',
  },
  base: { type: 'string', value: 'FILE', help: 'signature base as the signer computed it' },
  'base-sha256': { type: 'string', value: 'HEX', help: 'member base_sha256 of a problem document' },
  key: {
    type: 'string',
    value: 'KEY',
    multiple: true,
    help: 'public key: base64url of 32 bytes, JWK, or @FILE (PEM, JWK, JWK Set)',
  },
  jwks: {
    type: 'string',
    value: 'URL|FILE',
    multiple: true,
    help: `keys of the service: https://…/.well-known/miniseal-keys.json for
signatures, https://…/.well-known/jwks.json for tokens`,
  },
  origin: { type: 'string', value: 'URL', help: 'MINISEAL_ORIGIN of the service, if Host differs' },
  at: { type: 'string', value: 'TIME', help: 'time of arrival: UNIX seconds or ISO 8601' },
  lang: languageOption,
  json: jsonOption,
} as const

type ExplainValues = Values<Record<never, never>, typeof options>

export const explain = defineCommand({
  name: 'explain',
  summary: 'explain why a signed request or response does not verify',
  arguments: { file: { optional: true, help: 'input file (default: standard input)' } },
  options,
  notes: `
Prints the failed check, both signature bases with the first byte that differs, and the likely cause: it searches for the
change (host, path, query, encoding, fields, body, clock, key) that makes the signature valid.

FILE is one of:

  an HTTP/1.1 request or response as text, as a backend behind the gateway receives it
  JSON {"method", "url", "headers", "body": base64} or {"request": …, "response": …}
  a HAR file or entry
  a problem document

Tokens are printed as digests.

Exit status: 0 if no check fails, 1 if one fails or a problem is explained, 2 for a usage error, 3 if an input cannot be
read.
`,
  async run({ file = '-', ...values }, terminal) {
    const language = languageOf(values.lang, terminal)
    const known = await optionsOf(values)
    return writeReport(await readAll(file, values), known, language, values.json, terminal)
  },
})

function writeReport(
  capture: Capture,
  known: ExplainOptions,
  language: Language,
  isJson: boolean,
  terminal: Terminal,
): ExitCode {
  const report = explainCapture(capture, known)
  const { problem } = report
  if (isJson) {
    const explained = problem === undefined ? {} : { problem: problemJson(problem, language) }
    terminal.out(`${JSON.stringify({ ...jsonOf(report, locales[language]), ...explained })}\n`)
  } else {
    const isAlone = capture.request === undefined && report.signatures.length === 0 && problem !== undefined
    if (!isAlone) terminal.out(printReport(report, locales[language]))
    if (problem !== undefined)
      terminal.out(`${isAlone ? '' : '\n'}${printProblem(problem, language, isAlone)}`)
  }
  return report.isGood ? 0 : 1
}

/** The capture of FILE, with those of --request and --problem. */
async function readAll(file: string, { request, problem }: ExplainValues): Promise<Capture> {
  const capture = await readOne(file)
  const requestCapture = request === undefined ? undefined : await readOne(request)
  const problemCapture = problem === undefined ? undefined : await readOne(problem)
  if (requestCapture !== undefined && requestCapture.request === undefined)
    throw new CommandFailed('--request: the file contains no request')
  if (problemCapture !== undefined && problemCapture.problem === undefined)
    throw new CommandFailed('--problem: the file contains no problem document')
  const at = problemCapture?.problem?.time
  return {
    ...capture,
    ...(requestCapture?.request === undefined ? {} : { request: requestCapture.request }),
    ...(problemCapture?.problem === undefined ? {} : { problem: problemCapture.problem }),
    ...(capture.at === undefined && at !== undefined ? { at } : {}),
    notes: [...capture.notes, ...(requestCapture?.notes ?? [])],
  }
}

async function readOne(file: string): Promise<Capture> {
  try {
    return readCapture(await bytesOf(file))
  } catch (error) {
    if (error instanceof UnreadableCapture)
      throw new CommandFailed(`${file === '-' ? 'standard input' : file}: ${error.message}`)
    throw error
  }
}

async function bytesOf(file: string): Promise<Uint8Array> {
  return file === '-' ? await readStandardInput() : await readBytes(file)
}

async function readStandardInput(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of process.stdin) {
    const bytes = chunk instanceof Uint8Array ? chunk : Buffer.from(String(chunk))
    length += bytes.length
    if (length > maxCapture) throw new CommandFailed('standard input is larger than 32 MiB')
    chunks.push(bytes)
  }
  return new Uint8Array(Buffer.concat(chunks))
}

async function optionsOf(values: ExplainValues): Promise<ExplainOptions> {
  const keys: KnownKey[] = []
  for (const text of values.key) keys.push(...parseKeys(await textOf(text, '@'), 'option'))
  for (const location of values.jwks) keys.push(...parseKeys(await readSet(location), 'jwks'))
  const digest = values['base-sha256']?.toLowerCase()
  if (digest !== undefined && !/^[0-9a-f]{64}$/.test(digest))
    throw new UsageError('--base-sha256 must be 64 hex digits')
  const at = secondsOf(values.at)
  if (values.at !== undefined && at === undefined)
    throw new UsageError('--at must be UNIX seconds or an ISO 8601 date')
  return {
    keys,
    authority: values.origin === undefined ? undefined : authority(values.origin),
    at,
    now: currentTime(),
    signerBase:
      values.base === undefined ? undefined : Buffer.from(await bytesOf(values.base)).toString('utf8'),
    baseSha256: digest,
    budget: interactiveBudget,
  }
}

function parseKeys(text: string, source: KnownKey['source']): readonly KnownKey[] {
  try {
    return readKeys(text, source)
  } catch (error) {
    if (error instanceof UnreadableKey) throw new UsageError(error.message)
    throw error
  }
}

/** The text itself, or with the prefix `mark` the content of a file. */
async function textOf(text: string, mark: string): Promise<string> {
  return text.startsWith(mark) ? Buffer.from(await bytesOf(text.slice(mark.length))).toString('utf8') : text
}

async function readSet(location: string): Promise<string> {
  if (!/^https?:\/\//i.test(location)) return await textOf(`@${location}`, '@')
  try {
    const answer = await fetch(location, { signal: AbortSignal.timeout(10_000) })
    if (!answer.ok) throw new CommandFailed(`${location} returned status ${answer.status}`)
    return await answer.text()
  } catch (error) {
    if (error instanceof CommandFailed) throw error
    throw new CommandFailed(`${location} cannot be read`)
  }
}
