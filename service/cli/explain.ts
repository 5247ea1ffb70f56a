/** `miniseal explain`: why a captured request, response or refusal does not verify. Offline, except for `--jwks URL`. */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { FormatError } from 'miniseal-protocol/errors'
import { authorityOf } from 'miniseal-protocol/frames/channel-configuration'
import type { Capture, ExplainOptions, KnownKey, Locale } from 'miniseal-verify/explain'
import { en, explainCapture, interactiveBudget, jsonOf, printReport } from 'miniseal-verify/explain'
import { maxCapture, readCapture, secondsOf, UnreadableCapture } from '../explain/captures.ts'
import { readKeys, UnreadableKey } from '../explain/key-options.ts'
import { zhCN } from '../explain/locales/zh-CN.ts'
import { printProblem, problemJson } from '../explain/problem.ts'
import type { Language } from '../messages/language.ts'
import type { Command, ExitCode, Terminal } from './command.ts'
import { CommandFailed, UsageError } from './command.ts'

const locales: Readonly<Record<Language, Locale>> = { en, 'zh-CN': zhCN }

const usage = `usage: miniseal explain FILE [options]        FILE - or none: standard input

Shows which check of a signed message fails, both signature bases with the first byte that differs, and the likely cause:
it searches for the change (host, path, query, encoding, fields, body, clock, key) after which the signature verifies.

FILE is an HTTP/1.1 request or response as text, as a backend behind the gateway receives it; or JSON {"method", "url",
"headers", "body": base64}, {"request": …, "response": …}; or a HAR file or entry; or a problem document.

      --request FILE     the request of a response or of a problem document
      --problem FILE     the refusal of the request; in development it shows what the service computed
      --base FILE        the signature base as the signer made it
      --base-sha256 HEX  the member base_sha256 of a refusal
      --key KEY          public key: base64url of 32 bytes, JWK, or @FILE (PEM, JWK, JWK Set); repeatable
      --jwks URL|FILE    the service's keys; repeatable: https://…/.well-known/miniseal-keys.json for signatures,
                         https://…/.well-known/jwks.json for tokens
      --origin URL       MINISEAL_ORIGIN of the service, when Host differs
      --at TIME          when it arrived: UNIX seconds or ISO 8601
      --lang zh-CN|en    language (default: as LANG says)
      --json             machine-readable

Tokens are shown as digests. Exit codes: 0 no check fails, 1 a check fails or a refusal is explained, 2 wrong usage,
3 something cannot be read.
`

const options = {
  request: { type: 'string' },
  problem: { type: 'string' },
  base: { type: 'string' },
  'base-sha256': { type: 'string' },
  key: { type: 'string', multiple: true, default: [] as string[] },
  jwks: { type: 'string', multiple: true, default: [] as string[] },
  origin: { type: 'string' },
  at: { type: 'string' },
  lang: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const

type Values = ReturnType<typeof parseValues>['values']

function parseValues(args: readonly string[]) {
  return parseArgs({ args: [...args], options, allowPositionals: true, strict: true })
}

export const explain: Command = {
  summary: 'explain why a signed request or response does not verify',
  usage,
  async run(args, terminal) {
    const { values, positionals } = parseValues(args)
    const [file = '-', ...more] = positionals
    if (more.length > 0) throw new UsageError('explain takes one file')
    const language = languageOf(values.lang, terminal)
    const known = await optionsOf(values)
    const capture = await readAll(file, values)
    return writeReport(capture, known, language, values.json, terminal)
  },
}

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
    const document = problem === undefined ? {} : { problem: problemJson(problem, language) }
    terminal.out(`${JSON.stringify({ ...jsonOf(report, locales[language]), ...document })}\n`)
  } else {
    const isAlone = capture.request === undefined && report.signatures.length === 0 && problem !== undefined
    if (!isAlone) terminal.out(printReport(report, locales[language]))
    if (problem !== undefined)
      terminal.out(`${isAlone ? '' : '\n'}${printProblem(problem, language, isAlone)}`)
  }
  return report.isGood ? 0 : 1
}

/** The capture, with the request and the problem document that were given beside it. */
async function readAll(file: string, { request, problem }: Values): Promise<Capture> {
  const capture = await readOne(file)
  const sent = request === undefined ? undefined : await readOne(request)
  const document = problem === undefined ? undefined : await readOne(problem)
  if (sent !== undefined && sent.request === undefined)
    throw new CommandFailed('--request holds no request')
  if (refusal !== undefined && refusal.problem === undefined)
    throw new CommandFailed('--problem holds no problem document')
  const at = refusal?.problem?.time
  return {
    ...capture,
    ...(sent?.request === undefined ? {} : { request: sent.request }),
    ...(refusal?.problem === undefined ? {} : { problem: refusal.problem }),
    ...(capture.at === undefined && at !== undefined ? { at } : {}),
    notes: [...capture.notes, ...(sent?.notes ?? [])],
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
  try {
    return new Uint8Array(await (file === '-' ? readStandardInput() : readFile(file)))
  } catch (error) {
    if (error instanceof CommandFailed) throw error
    throw new CommandFailed(`${file} cannot be read`)
  }
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

async function optionsOf(values: Values): Promise<ExplainOptions> {
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

/** Of an option `--origin`. @throws UsageError */
export function authority(origin: string): string {
  try {
    return authorityOf(origin)
  } catch (error) {
    if (error instanceof FormatError)
      throw new UsageError('--origin takes an origin: https://pay.example.com')
    throw error
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

function languageOf(given: string | undefined, { environment }: Terminal): Language {
  if (given !== undefined && given !== 'zh-CN' && given !== 'en')
    throw new UsageError('--lang takes zh-CN or en')
  return given ?? (environment.LANG?.startsWith('zh') === true ? 'zh-CN' : 'en')
}
