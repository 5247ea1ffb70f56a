/** `miniseal explain`: why a captured request, answer or refusal does not verify. Offline, but for a JWK Set by its address. */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { FormatError } from 'miniseal-protocol/errors'
import { authorityOf } from 'miniseal-protocol/frames/channel-configuration'
import type { Capture } from '../explain/capture.ts'
import { UnreadableCapture } from '../explain/capture.ts'
import { explainCapture } from '../explain/explain.ts'
import { secondsOf } from '../explain/json-capture.ts'
import type { ExplainOptions } from '../explain/options.ts'
import { patient } from '../explain/options.ts'
import { jsonOf, printReport } from '../explain/print.ts'
import { printProblem, problemJson } from '../explain/problem-report.ts'
import type { KnownKey } from '../explain/public-keys.ts'
import { readKeys, UnreadableKey } from '../explain/public-keys.ts'
import { maxCapture, readCapture } from '../explain/read-capture.ts'
import type { Language } from '../messages/language.ts'
import type { Command, ExitCode, Terminal } from './command.ts'
import { CommandFailed, UsageError } from './command.ts'

const usage = `usage: miniseal explain FILE [options]        FILE - or none: standard input

Says which check of a signed message fails, shows both signature bases with the first byte that differs, and the likely
cause: it looks for the change (host, path, query, encoding, fields, body, clock, key) that makes the signature verify.

FILE is an HTTP/1.1 request or answer as text, as a backend behind the gateway receives it; or JSON {"method", "url",
"headers", "body": base64}, {"request": …, "response": …}; or a HAR file or entry; or a problem document.

      --request FILE     the request of an answer or of a problem document
      --problem FILE     the refusal of the request; in development it says what the service computed
      --base FILE        the signature base as the signer made it
      --base-sha256 HEX  the member base_sha256 of a refusal
      --key KEY          public key: b64u of 32 bytes, JWK, or @FILE (PEM, JWK, JWK Set); may be repeated
      --jwks URL|FILE    the service's keys; may be repeated: https://…/.well-known/miniseal-keys.json for signatures,
                         https://…/.well-known/jwks.json for tokens
      --origin URL       MINISEAL_ORIGIN of the service, where Host is another
      --at TIME          when it arrived: UNIX seconds or ISO 8601
      --lang zh-CN|en    language (default: as LANG says)
      --json             for programs

Tokens are shown as digests. The exit code is 0 when no check fails, 1 when one does or a refusal is explained, 2 for a
wrong call, 3 when something cannot be read.
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
  summary: 'say why a signed request or answer does not verify',
  usage,
  async run(args, terminal) {
    const { values, positionals } = parseValues(args)
    const [file = '-', ...more] = positionals
    if (more.length > 0) throw new UsageError('explain takes one file')
    const language = languageChosen(values.lang, terminal)
    const known = await knownOf(values)
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
    const told = problem === undefined ? {} : { problem: problemJson(problem, language) }
    terminal.out(`${JSON.stringify({ ...(jsonOf(report, language) as object), ...told })}\n`)
  } else {
    const isAlone = capture.request === undefined && report.signatures.length === 0 && problem !== undefined
    if (!isAlone) terminal.out(printReport(report, language))
    if (problem !== undefined)
      terminal.out(`${isAlone ? '' : '\n'}${printProblem(problem, language, isAlone)}`)
  }
  return report.isGood ? 0 : 1
}

/** The capture, with the request and the problem document that were given beside it. */
async function readAll(file: string, { request, problem }: Values): Promise<Capture> {
  const capture = await readOne(file)
  const asked = request === undefined ? undefined : await readOne(request)
  const told = problem === undefined ? undefined : await readOne(problem)
  if (asked !== undefined && asked.request === undefined)
    throw new CommandFailed('--request holds no request')
  if (told !== undefined && told.problem === undefined)
    throw new CommandFailed('--problem holds no problem document')
  const at = told?.problem?.time
  return {
    ...capture,
    ...(asked?.request === undefined ? {} : { request: asked.request }),
    ...(told?.problem === undefined ? {} : { problem: told.problem }),
    ...(capture.at === undefined && at !== undefined ? { at } : {}),
    notes: [...capture.notes, ...(asked?.notes ?? [])],
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

async function knownOf(values: Values): Promise<ExplainOptions> {
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
    budget: patient,
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

function languageChosen(given: string | undefined, { environment }: Terminal): Language {
  if (given !== undefined && given !== 'zh-CN' && given !== 'en')
    throw new UsageError('--lang takes zh-CN or en')
  return given ?? (environment.LANG?.startsWith('zh') === true ? 'zh-CN' : 'en')
}
