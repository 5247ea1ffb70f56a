/** The routes of the gateway, from `MINISEAL_UPSTREAMS` and `MINISEAL_ROUTES_FILE`. */
import { readFileSync } from 'node:fs'
import { assertPath, canonicalPath } from 'miniseal-protocol/http-signatures/message-rules'
import { z } from 'zod'
import { isPassable, passableRule } from './fields.ts'
import { type StepUpPolicy, stepUpShape } from './step-up.ts'

/** A route: requests for `prefix` and paths below it go to `origin`. */
export interface Upstream {
  /** A canonical path without a trailing slash; the empty prefix matches every path. */
  readonly prefix: string
  /** `http(s)://host[:port]`. Paths are never rewritten: the signature covers them. */
  readonly origin: string
  /** Other methods are `not_found`. Absent: all. */
  readonly methods?: readonly string[] | undefined
  /** Maximum bytes of a request's content, as encoded; more is `payload_invalid`. Absent: the limit of a frame. */
  readonly maxBody?: number | undefined
  /** Milliseconds for the whole answer. */
  readonly timeoutMs?: number | undefined
  /** The requests that require step-up. Absent: none. */
  readonly stepUp?: StepUpPolicy | undefined
  /** Forwarded fields in addition to the default `passedFields`. Absent: none. */
  readonly fields?: readonly string[] | undefined
  /** See {@link Backend.isIdempotent}. Absent: no. */
  readonly isIdempotent?: boolean | undefined
}

const originForm = /^https?:\/\/[^\s/?#@]+\/?$/

/** The rule of {@link isPrefix}, for the operator. */
const prefixRule =
  'a path that begins with /, without a query, empty or dot segments, ";", and unneeded or lower-case percent-encoding'

/** Less than the time after which the outcome of an idempotency key counts as unknown. */
const maxTimeout = 30_000

const routeShape = z.strictObject({
  path: z.string({ error: 'must be a path' }).refine(isPrefix, { error: `must be ${prefixRule}` }),
  upstream: z.string({ error: 'must be http(s)://host[:port]' }).refine(isOrigin, {
    error: 'must be http(s)://host[:port], without a path behind the port',
  }),
  methods: z
    .array(z.string().regex(/^[A-Z]{1,16}$/, { error: 'must be a method in capital letters' }))
    .min(1, { error: 'must name a method; leave it out to allow all' })
    .optional(),
  max_body: z.int().min(0).max(1_048_576).optional(),
  timeout_ms: z.int().min(100).max(maxTimeout).optional(),
  step_up: stepUpShape.optional(),
  fields: z
    .array(z.string().refine(isPassable, { error: `must be ${passableRule}` }))
    .max(32)
    .optional(),
  idempotent: z.boolean().optional(),
})

/**
 * The routes of the variable and of the file.
 *
 * @param upstreams the value of `MINISEAL_UPSTREAMS`
 * @param file the value of `MINISEAL_ROUTES_FILE`: a path
 * @returns routes, longest prefix first; `undefined` without configuration
 * @throws Error with a message for the operator.
 */
export function readRoutes(
  upstreams: string | undefined,
  file: string | undefined,
): readonly Upstream[] | undefined {
  if (upstreams === undefined && file === undefined) return undefined
  const fromFile = file === undefined ? [] : parseRoutes(readRoutesFile(file))
  return byPrefixLength([...(parseUpstreams(upstreams) ?? []), ...fromFile])
}

/**
 * Reads `MINISEAL_UPSTREAMS`: `/wallet=http://127.0.0.1:9001,/orders=…`.
 *
 * @returns routes, longest prefix first; `undefined` without configuration
 * @throws Error with a message for the operator.
 */
export function parseUpstreams(text: string | undefined): readonly Upstream[] | undefined {
  if (text === undefined) return undefined
  const upstreams = text.split(',').map((entry): Upstream => {
    const [, prefix, origin] = /^\s*([^=\s]*)=(\S*)\s*$/.exec(entry) ?? []
    if (prefix === undefined || origin === undefined || !isOrigin(origin)) {
      throw new Error(
        'MINISEAL_UPSTREAMS must be /prefix=http://host:port[,…], without a path behind the port',
      )
    }
    if (!isPrefix(prefix)) throw new Error(`MINISEAL_UPSTREAMS: each prefix must be ${prefixRule}`)
    return { prefix: prefixOf(prefix), origin: withoutSlash(origin) }
  })
  return byPrefixLength(upstreams)
}

/**
 * Reads the text of a routes file: a JSON list of `{path, upstream, methods?, max_body?, timeout_ms?, step_up?, fields?,
 * idempotent?}`.
 *
 * @throws Error with a message for the operator that names each invalid member.
 */
export function parseRoutes(text: string): readonly Upstream[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'it cannot be parsed'
    throw new Error(`MINISEAL_ROUTES_FILE is not JSON: ${reason}`)
  }
  const parsed = z.array(routeShape, { error: 'must be a list of routes' }).min(1).safeParse(value)
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${locationOf(path)} ${message}`)
    throw new Error(`MINISEAL_ROUTES_FILE: ${problems.join('; ')}`)
  }
  return byPrefixLength(
    parsed.data.map(({ path, upstream, methods, max_body, timeout_ms, step_up, fields, idempotent }) => ({
      prefix: prefixOf(path),
      origin: withoutSlash(upstream),
      methods,
      maxBody: max_body,
      timeoutMs: timeout_ms,
      stepUp: step_up,
      fields,
      isIdempotent: idempotent,
    })),
  )
}

/**
 * The route of a path: the longest prefix of whole segments. Paths are compared in canonical form, which is equal exactly
 * when the decoded segments are.
 *
 * @param path that `assertPath` accepts
 */
export function findRoute<T extends Upstream>(routes: readonly T[], path: string): T | undefined {
  const canonical = canonicalPath(path)
  return routes.find(({ prefix }) => canonical === prefix || canonical.startsWith(`${prefix}/`))
}

function byPrefixLength(routes: readonly Upstream[]): readonly Upstream[] {
  const duplicate = routes.find(
    ({ prefix }, index) => routes.findIndex((other) => other.prefix === prefix) !== index,
  )
  if (duplicate !== undefined) {
    throw new Error(
      `MINISEAL_UPSTREAMS and MINISEAL_ROUTES_FILE together name ${duplicate.prefix || '/'} more than once`,
    )
  }
  return [...routes].sort((a, b) => b.prefix.length - a.prefix.length)
}

function readRoutesFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    throw new Error('MINISEAL_ROUTES_FILE names a file that cannot be read')
  }
}

function isOrigin(text: string): boolean {
  return originForm.test(text) && URL.canParse(text)
}

/** Whether requests can have this path: any other prefix would match nothing, or unexpected paths. */
function isPrefix(text: string): boolean {
  try {
    assertPath(text)
    return !text.includes('?')
  } catch {
    return false
  }
}

function prefixOf(path: string): string {
  return withoutSlash(canonicalPath(path))
}

function withoutSlash(text: string): string {
  return text.replace(/\/$/, '')
}

/** `route 2, max_body`; routes are counted from 1. */
function locationOf(path: readonly PropertyKey[]): string {
  const [index, ...members] = path
  if (typeof index !== 'number') return 'the file'
  return [`route ${index + 1}`, ...members.map(String)].join(', ')
}
