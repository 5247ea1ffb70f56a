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
import { authority, languageOf, languageOption, readBytes } from '../option-values.ts'

const locales: Readonly<Record<Language, Locale>> = { en, 'zh-CN': zhCN }

const options = {
  request: { type: 'string', value: 'FILE', help: 'the request of an answer or of a problem document' },
  problem: {
    type: 'string',
    value: 'FILE',
    help: 'the refusal of the request; in development it holds what the service computed',
  },
  base: { type: 'string', value: 'FILE', help: 'the signature base as the signer computed it' },
  'base-sha256': { type: 'string', value: 'HEX', help: 'the member base_sha256 of a refusal' },
  key: {
    type: 'string',
    value: 'KEY',
    multiple: true,
    help: 'public key: b64u of 32 bytes, JWK, or @FILE (PEM, JWK, JWK Set)',
  },
  jwks: {
    type: 'string',
    value: 'URL|FILE',
    multiple: true,
    help: `the service's keys: https://…/.well-known/miniseal-keys.json for
signatures, https://…/.well-known/jwks.json for tokens`,
  },
  origin: { type: 'string', value: 'URL', help: 'MINISEAL_ORIGIN of the service, where Host differs' },
  at: { type: 'string', value: 'TIME', help: 'when it arrived: UNIX seconds or ISO 8601' },
  lang: languageOption,
  json: { type: 'boolean', help: 'print one JSON object' },
} as const

type ExplainValues = Values<Record<never, never>, typeof options>

export const explain = defineCommand({
  name: 'explain',
  summary: 'find out why a signed request or answer does not verify',
  arguments: { file: { optional: true, help: 'default, and -: standard input' } },
  options,
  notes: `
Prints which check of a signed message fails, both signature bases with the first byte that differs, and the likely
cause: it searches for the change (host, path, query, encoding, fields, body, clock, key) that makes the signature
verify.

FILE is an HTTP/1.1 request or answer as text, as a backend behind the gateway receives it; or JSON {"method", "url",
"headers", "body": base64}, {"request": …, "response": …}; or a HAR file or entry; or a problem document.

Tokens are printed as digests. Exit status: 0 when no check fails, 1 when one does or a refusal is explained, 2 for a
usage error, 3 when an input cannot be read.
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

/** The capture, with the request and the problem document that were given beside it. */
async function readAll(file: string, { request, problem }: ExplainValues): Promise<Capture> {
  const capture = await readOne(file)
  const requestCapture = request === undefined ? undefined : await readOne(request)
  const problemCapture = problem === undefined ? undefined : await readOne(problem)
  if (requestCapture !== undefined && requestCapture.request === undefined)
    throw new CommandFailed('--request holds no request')
  if (problemCapture !== undefined && problemCapture.problem === undefined)
    throw new CommandFailed('--problem holds no problem document')
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
    throw new UsageError('--base-sha256 takes 64 hex digits')
  const at = secondsOf(values.at)
  if (values.at !== undefined && at === undefined) throw new UsageError('--at takes UNIX seconds or a date')
  return {
    keys,
    authority: values.origin === undefined ? undefined : authority(values.origin),
    at,
    now: Math.floor(Date.now() / 1000),
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

/** The text itself, or that of the file it names with `mark`. */
async function textOf(text: string, mark: string): Promise<string> {
  return text.startsWith(mark) ? Buffer.from(await bytesOf(text.slice(mark.length))).toString('utf8') : text
}

async function readSet(location: string): Promise<string> {
  if (!/^https?:\/\//i.test(location)) return await textOf(`@${location}`, '@')
  try {
    const answer = await fetch(location, { signal: AbortSignal.timeout(10_000) })
    if (!answer.ok) throw new CommandFailed(`${location} answered ${answer.status}`)
    return await answer.text()
  } catch (error) {
    if (error instanceof CommandFailed) throw error
    throw new CommandFailed(`${location} cannot be read`)
  }
}
