/** Checks of code blocks by kind. Each throws, or fails an `expect`, for an invalid block. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect } from 'vitest'
import { ProtocolError } from '../../../crypto/errors.ts'
import { readVarint } from '../../../crypto/frames/varint.ts'
import { parseDictionary, parseItem } from '../../../crypto/http-signatures/structured-fields.ts'
import { decodeBase64Url, encodeUtf8 } from '../../../crypto/text.ts'
import { parsePolicy } from '../../../crypto/tlog/tlog-policy.ts'
import { parseRoutes } from '../../../service/gateway/routes.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { writeProblem } from '../../../service/problems/document.ts'
import { refusalAt, type Step } from '../../../service/problems/problem-error.ts'
import { openStore } from '../../../service/store/open-store.ts'
import { readVectors } from '../../conformance/vectors/read-vectors.ts'
import { root } from './documents.ts'

/** Whether a source file of the service contains this text. */
function isInService(text: string): boolean {
  const files = readdirSync(join(root, 'service'), { recursive: true, encoding: 'utf8' })
  return files.some(
    (file) => /\.tsx?$/.test(file) && readFileSync(join(root, 'service', file), 'utf8').includes(text),
  )
}

/** Valid JSON; routes, problems and keys must be valid as such. */
export function checkJson(text: string): void {
  const value: unknown = JSON.parse(text)
  if (Array.isArray(value)) {
    expect(parseRoutes(text).length).toBe(value.length)
    return
  }
  const object = value as Record<string, unknown>
  if (typeof object.code === 'string' && typeof object.step === 'string') checkProblem(object)
  for (const key of publishedKeys(object)) {
    const jwk = `{"crv":"${key.crv}","kty":"OKP","x":"${key.x}"}`
    expect(decodeBase64Url(key.x)).toHaveLength(32)
    expect(Buffer.from(primitives.sha256(encodeUtf8(jwk))).toString('base64url')).toBe(key.kid)
  }
}

function checkProblem(shown: Record<string, unknown>): void {
  const error = new ProtocolError(shown.code as 'internal', String(shown.detail))
  const context = { origin: 'https://pay.example.com', time: 0, requestId: '' }
  const refusal = refusalAt(shown.step as Step, error)
  const made = JSON.parse(writeProblem(refusal, context).body) as Record<string, unknown>
  const { type, title, status, retryable } = made
  expect(shown).toMatchObject({ type, title, status, retryable })
  for (const name of Object.keys(made)) expect(shown).toHaveProperty(name)
}

function publishedKeys(
  value: Record<string, unknown>,
): { readonly kid: string; readonly x: string; readonly crv: string }[] {
  const ed25519 = [value.keys, value.signing].flatMap((list) => (Array.isArray(list) ? list : []))
  const x25519 = Array.isArray(value.agreement) ? value.agreement : []
  return [
    ...ed25519.map((key) => ({ ...key, crv: 'Ed25519' })),
    ...x25519.map((key) => ({ ...key, crv: 'X25519' })),
  ]
}

const structured = new Set(['content-digest', 'signature-input', 'signature', 'miniseal-caller', 'step-up'])

/** An HTTP/1.1 message: start line, fields, and structured fields that our parser accepts. */
export function checkHttp(text: string): void {
  const [head = '', body = ''] = text.split('\n\n')
  const [start = '', ...fields] = head.trimEnd().split('\n')
  expect(start).toMatch(/^((GET|POST|PUT|DELETE) \/\S* HTTP\/1\.1|HTTP\/1\.1 \d{3}( .*)?)$/)
  for (const field of fields) {
    const [, name = '', value = ''] = /^([a-z0-9-]+): (.*)$/.exec(field) ?? []
    expect(name, field).not.toBe('')
    const plain = value.replace(/:[^:]*…[^:]*:/g, ':AAAA:').replaceAll('…', 'x')
    if (structured.has(name)) expect(parseDictionary(plain).size, field).toBeGreaterThan(0)
    if (name === 'idempotency-key') expect(parseItem(plain).value.kind).toBe('string')
    if (name === 'content-length') expect(Buffer.byteLength(body.trimEnd())).toBe(Number(value))
  }
  if (body.trim() !== '') JSON.parse(body)
}

/** The members that `npx miniseal call` prints for a transfer; `commands.test.ts` compares them. */
export const transferMembers = [
  ...['id', 'payee', 'amount', 'note', 'created_at', 'balance', 'payee_user', 'currency', 'status'],
]

export function checkTransferLine(text: string): void {
  expect(Object.keys(JSON.parse(text) as object)).toEqual(transferMembers)
}

export function checkFindingLine(text: string): void {
  const [, code = ''] =
    /^FAILED ([a-z-]+): log \d+, entries \d+ to \d+: \d+ missing from the log\n$/.exec(text) ?? []
  expect(isInService(`'${code}'`)).toBe(true)
  expect(isInService('missing from the log')).toBe(true)
}

export function checkLogLines(text: string): void {
  for (const line of text.trimEnd().split('\n')) {
    const { event } = JSON.parse(line) as { readonly event: string }
    expect(isInService(`'${event}'`), event).toBe(true)
  }
}

/** A policy, with a real key in place of the shortened one. */
export function checkPolicyLines(text: string): void {
  const page = readFileSync(join(root, 'docs/reference/protocol.md'), 'utf8')
  const [log = ''] = /^log \S+$/m.exec(page) ?? []
  const [, key = ''] = /^witness \S+ (\S+)$/m.exec(page) ?? []
  expect(parsePolicy(primitives, `${log}\n${text.replace(/\S+\+\S+…/, key)}`).witnesses).toHaveLength(1)
}

export function checkNginx(text: string): void {
  expect(text.split('{').length).toBe(text.split('}').length)
  for (const line of text.split('\n').filter((each) => /^ {2}\S/.test(each)))
    expect(line).toMatch(/^ {2}[a-z_]+ .*;/)
  for (const part of ['proxy_http_version 1.1', 'Upgrade $http_upgrade', 'X-Forwarded-For'])
    expect(text).toContain(part)
}

/** Runs on the tables of the service. */
export async function checkSql(text: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'miniseal-sql-'))
  try {
    const path = join(folder, 'miniseal.db')
    const store = await openStore({ kind: 'sqlite', path })
    await store.close()
    expect(existsSync(path)).toBe(true)
    const database = new Database(path)
    database.exec(text)
    database.close()
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Settings of the service's PostgreSQL tables; checked without a server. */
export function checkTableSettings(text: string): void {
  const folder = join(root, 'migrations/postgres')
  const files = readdirSync(folder, { encoding: 'utf8' }).filter((file) => file.endsWith('.sql'))
  const tables = files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n')
  for (const line of text.trimEnd().split('\n')) {
    const [, table = ''] =
      /^alter table (\w+) +set \((?:autovacuum_\w+ = [\d.]+(?:, )?)+\);$/.exec(line) ?? []
    expect(tables, line).toContain(`CREATE TABLE "${table}"`)
  }
}

/** The pattern accepts the paths of the grammar, except where the page states a difference. */
export function checkPathPattern(text: string): void {
  const pattern = new RegExp(text.trim())
  const { requests, refused } = readVectors('messages')
  for (const { message } of requests)
    expect({ path: message.path, is: pattern.test(message.path) }).toMatchObject({ is: true })
  const isDifferent = (title: string): boolean =>
    /dot segment|UTF-8|surrogate|characters$|without a path$/.test(title)
  for (const { title, encoded } of refused.filter((row) => / (?:path|query|segment)/.test(row.title))) {
    if (isDifferent(title)) continue
    const path = pathOfEncoded(encoded)
    expect({ title, path, is: path !== undefined && pattern.test(path) }).toMatchObject({ is: false })
  }
}

/** The fourth vector of a request in Binary HTTP. */
function pathOfEncoded(encoded: string): string | undefined {
  const bytes = Buffer.from(encoded, 'hex')
  let at = 1
  for (let part = 0; part < 4; part++) {
    const { value, next } = readVarint(bytes, at)
    if (part === 3) return bytes.subarray(next, next + value).toString('latin1')
    at = next + value
  }
  return undefined
}
