/** `/audit/api`: the API of the auditors' pages. Every access is logged before the response. */
import { Hono, type MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { encodeVerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { z } from 'zod'
import { sodiumPrimitives } from '../../keys/sodium-primitives.ts'
import { createWindow } from '../../limits/rate-limits.ts'
import type { LogEntry } from '../../store/tlog-entries.ts'
import { leafIdText } from '../../tlog/entry.ts'
import { type AccessLog, createAccessLog, filterFacts } from './access-log.ts'
import type { Auditor } from './accounts.ts'
import type { PageAnswer, SessionAnswer } from './answers.ts'
import {
  type AuditContext,
  type AuditDependencies,
  type AuditEnvironment,
  AuditRefused,
  problemOf,
} from './context.ts'
import { evidenceResponse, exportResponse, parseFormat, parseLabels } from './downloads.ts'
import { entryAnswer, mayDisclose, rowsOf } from './entries.ts'
import { consistencyOf, integrityOf } from './integrity.ts'
import type { AuditFilter, AuditSearch } from './search.ts'
import { createAuditSearch, filterNames, parseCursor, parseFilter } from './search.ts'
import { createSessions, type Sessions } from './session.ts'
import { overviewOf, timelineOf } from './timeline.ts'

/** Sign-in attempts from one address. */
const tries = { count: 10, seconds: 60 }

/** Rows of a page. */
const pageSize = 50

/** Age limit of entries in a polling table, in milliseconds. Older entries are on pages, which are logged. */
const tailReach = 120_000

interface Api {
  readonly parts: AuditDependencies
  readonly search: AuditSearch
  readonly accessLog: AccessLog
  readonly takeExportSlot: ReturnType<typeof createWorkSlots>
}

/** The routes below `/audit/api`. */
export function auditApi(parts: AuditDependencies): Hono<AuditEnvironment> {
  const app = new Hono<AuditEnvironment>()
  const sessions = createSessions(parts)
  const api: Api = {
    parts,
    search: createAuditSearch(parts.store, parts.blindIndexOf),
    accessLog: createAccessLog(parts),
    takeExportSlot: createWorkSlots(exportLimit),
  }
  app.onError((error, c) => problemOf(c, error))
  app.use(async (c, next) => {
    c.header('cache-control', 'no-store')
    assertOwnSite(c.req.header('sec-fetch-site'), c.req.header('origin'), parts.origin)
    await next()
  })
  addSession(app, api, sessions)
  app.use(sessions.guard)
  app.get('/session', acceptQuery(), async (c) => c.json(await sessionAnswer(parts, c.get('auditor'))))
  addExport(app, api)
  app.use(boundReads())
  addReads(app, api)
  addEvidence(app, api)
  return app
}

/**
 * Rejects cross-site requests, in addition to SameSite=Strict: reads have an effect here, because they are logged. Browsers
 * send both fields; other programs have no cookie to misuse.
 */
function assertOwnSite(site: string | undefined, origin: string | undefined, own: string): void {
  const isOwnSite = site === undefined || site === 'same-origin' || site === 'none'
  if (!isOwnSite || (origin !== undefined && origin !== own)) throw new AuditRefused('other_site')
}

/**
 * Refuses all query parameters except `names`, and repeated ones. Ignoring a filter, for example a misspelt one, would
 * return more than the auditor requested.
 *
 * @throws AuditRefused `unknown_parameter` or `invalid_parameter`
 */
function acceptQuery(...names: readonly string[]): MiddlewareHandler<AuditEnvironment> {
  const known = new Set(names)
  return async function assertKnownQuery(c, next) {
    for (const [name, values] of Object.entries(c.req.queries())) {
      if (!known.has(name)) throw new AuditRefused('unknown_parameter', name)
      if (values.length > 1) throw new AuditRefused('invalid_parameter', name)
    }
    await next()
  }
}

const signInBody = z.strictObject({ token: z.string().max(200) })

function addSession(app: Hono<AuditEnvironment>, { parts }: Api, sessions: Sessions): void {
  const window = createWindow(tries)
  const tooLarge = (): never => {
    throw new AuditRefused('token_refused')
  }
  app.post('/session', acceptQuery(), bodyLimit({ maxSize: 1_024, onError: tooLarge }), async (c) => {
    const { isWithin } = await window.consume(parts.sender(c).source)
    if (!isWithin) throw new AuditRefused('too_many_tries')
    const body: unknown = await c.req.json().catch(() => undefined)
    const parsed = signInBody.safeParse(body)
    if (!parsed.success) throw new AuditRefused('token_refused')
    return c.json(await sessionAnswer(parts, await sessions.signIn(c, parsed.data.token)))
  })
  app.delete('/session', acceptQuery(), async (c) => {
    await sessions.signOut(c)
    return c.body(null, 204)
  })
}

async function sessionAnswer(
  { status, signingLogKeys }: AuditDependencies,
  { name, role }: Auditor,
): Promise<SessionAnswer> {
  const { origin } = await status()
  const keys = signingLogKeys(origin).map((key) => encodeVerifierKey(sodiumPrimitives, key))
  return { name, role, origin, keys }
}

function addReads(app: Hono<AuditEnvironment>, api: Api): void {
  const { parts, search, accessLog } = api
  app.get('/entries', acceptQuery(...filterNames, 'before', 'after'), async (c) =>
    c.json(await pageAnswer(c, api)),
  )
  app.get('/timeline', acceptQuery(...filterNames), async (c) => {
    const filter = filterOf(c)
    await accessLog.logAccess(c, 'audit-read', { what: 'timeline', ...filterFacts(filter) })
    return c.json(await timelineOf({ store: parts.store, search }, filter, parts.now() * 1_000 + 999))
  })
  app.get('/overview', acceptQuery('from', 'to'), async (c) => {
    const { from, until } = filterOf(c)
    await accessLog.logAccess(c, 'audit-read', { what: 'overview' })
    const range = { ...(from === undefined ? {} : { from }), ...(until === undefined ? {} : { until }) }
    return c.json(await overviewOf(parts.store, range, parts.now() * 1_000 + 999))
  })
  app.get('/integrity', acceptQuery(), async (c) => {
    await accessLog.logAccess(c, 'audit-read', { what: 'integrity' })
    return c.json(await integrityOf(parts, search))
  })
  app.get('/consistency', acceptQuery('origin', 'from'), async (c) => {
    const from = parseCursor('from', c.req.query('from') ?? '')
    await accessLog.logAccess(c, 'audit-read', { what: 'consistency' })
    return c.json(await consistencyOf(parts, c.req.query('origin') ?? '', from))
  })
  app.get('/entries/:id', acceptQuery(), async (c) => {
    const entry = await findEntry(api, c.req.param('id'))
    await accessLog.logAccess(c, 'audit-read', { what: 'entry', entry: leafIdText(entry.id) })
    return c.json(await entryAnswer(parts, entry, c.get('auditor').role))
  })
}

async function pageAnswer(c: AuditContext, api: Api): Promise<PageAnswer> {
  const { parts, search, accessLog } = api
  const filter = filterOf(c)
  const after = c.req.query('after')
  if (after !== undefined) return await tailAnswer(c, api, filter, after)
  const before = c.req.query('before')
  const cursor = before === undefined ? undefined : parseCursor('before', before)
  await accessLog.logAccess(c, 'audit-read', { what: 'search', ...filterFacts(filter) })
  const { entries, next } = await search.page(filter, cursor, pageSize)
  return { entries: await rowsOf(entries, parts.findKey), next: next === undefined ? null : String(next) }
}

/** Entries after `after`, of the last two minutes at most. */
async function tailAnswer(
  c: AuditContext,
  api: Api,
  filter: AuditFilter,
  after: string,
): Promise<PageAnswer> {
  const { parts, search, accessLog } = api
  const last = parseCursor('after', after)
  const table = filterNames.map((name) => c.req.query(name) ?? '').join('\n')
  await accessLog.logTailAccess(c, table, { what: 'tail', ...filterFacts(filter) })
  const from = Math.max(filter.from ?? 0, parts.now() * 1_000 - tailReach)
  const { entries } = await search.page({ ...filter, from }, undefined, pageSize)
  const newer = entries.filter(({ globalIndex }) => globalIndex > last)
  return { entries: await rowsOf(newer, parts.findKey), next: null }
}

/** Holds a slot for the duration of the request. */
function boundReads(): MiddlewareHandler<AuditEnvironment> {
  const takeSlot = createWorkSlots(readLimit)
  return async function boundRead(c, next) {
    const release = takeSlot(c.get('auditor').name)
    try {
      await next()
    } finally {
      release()
    }
  }
}

function addExport(app: Hono<AuditEnvironment>, { parts, search, accessLog, takeExportSlot }: Api): void {
  app.get('/export', acceptQuery(...filterNames, 'format'), async (c) => {
    assertMayDisclose(c)
    const format = parseFormat(c.req.query('format'))
    const filter = filterOf(c)
    const release = takeExportSlot(c.get('auditor').name)
    try {
      await accessLog.logAccess(c, 'audit-exported', { what: format, ...filterFacts(filter) })
    } catch (error) {
      release()
      throw error
    }
    return exportResponse({ findKey: parts.findKey, search, onEnd: release }, filter, format)
  })
}

function addEvidence(app: Hono<AuditEnvironment>, api: Api): void {
  const { parts, accessLog } = api
  app.get('/entries/:id/evidence', acceptQuery('groups'), async (c) => {
    assertMayDisclose(c)
    const groups = parseLabels(c.req.query('groups') ?? 'core,sig,pay')
    const entry = await findEntry(api, c.req.param('id'))
    await accessLog.logAccess(c, 'audit-exported', { what: 'evidence', entry: leafIdText(entry.id) })
    return await evidenceResponse(parts, entry, groups)
  })
}

function assertMayDisclose(c: AuditContext): void {
  if (!mayDisclose(c.get('auditor').role)) throw new AuditRefused('not_for_your_role')
}

/**
 * The filter of the query string, attacker-controlled. A role that does not see addresses cannot search by address either.
 *
 * @throws FilterError; AuditRefused
 */
function filterOf(c: AuditContext): AuditFilter {
  const filter = parseFilter(Object.fromEntries(filterNames.map((name) => [name, c.req.query(name)])))
  if (filter.ip !== undefined) assertMayDisclose(c)
  return filter
}

/** Finds an entry by UUID or leaf hash, attacker-controlled. @throws AuditRefused `not_found` */
async function findEntry({ parts }: Api, name: string): Promise<LogEntry> {
  const { id, hash } = parseFilter({ receipt: name })
  const key = id ?? hash
  const entry = key === undefined ? undefined : await parts.reader.entryById(key)
  if (entry === undefined) throw new AuditRefused('not_found')
  return entry
}

// Concurrency limits, for each auditor and in total.

/** Limits of one kind of work. */
export interface WorkLimit {
  readonly perAuditor: number
  readonly inAll: number
}

/** Searches, charts and proofs: a page loads several at once. */
export const readLimit: WorkLimit = { perAuditor: 8, inAll: 32 }

/** Exports, from the request to the last byte. */
const exportLimit: WorkLimit = { perAuditor: 2, inAll: 4 }

/**
 * @returns takes a slot for an auditor and returns the function that releases it, which is idempotent; throws AuditRefused
 *   `too_many_concurrent`
 */
export function createWorkSlots({ perAuditor, inAll }: WorkLimit): (auditor: string) => () => void {
  const running = new Map<string, number>()
  let all = 0
  return function takeSlot(auditor) {
    const own = running.get(auditor) ?? 0
    if (own >= perAuditor || all >= inAll) throw new AuditRefused('too_many_concurrent')
    running.set(auditor, own + 1)
    all += 1
    let isTaken = true
    return () => {
      if (!isTaken) return
      isTaken = false
      all -= 1
      const left = (running.get(auditor) ?? 1) - 1
      if (left > 0) running.set(auditor, left)
      else running.delete(auditor)
    }
  }
}
