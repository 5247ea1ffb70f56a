/** `/audit/api`: authentication, what each role sees, and that every read is logged. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { EntryAnswer, PageAnswer, TimelineAnswer } from '../../../service/admin/api/answers.ts'
import { auditProblems } from '../../../service/admin/api/context.ts'
import { readBundle } from '../../../service/tlog/evidence/bundle.ts'
import { checkEvidence } from '../../../service/tlog/evidence/check-evidence.ts'
import { isSettled, makeTraffic, newAuditor, type Traffic } from '../../support/audit-traffic.ts'
import type { ServiceDatabase } from '../../support/both-databases.ts'
import { describeWithBothDatabases, disturb } from '../../support/both-databases.ts'
import { ofKind, readLog, withStore } from '../../support/read-log.ts'
import type { TestService } from '../../support/service.ts'
import { startTestService } from '../../support/service.ts'

describeWithBothDatabases('the auditors’ API', (create) => {
  let database: ServiceDatabase
  let service: TestService
  let traffic: Traffic
  let tokens: { readonly reader: string; readonly discloser: string }
  let cookie = ''

  beforeAll(async () => {
    database = await create()
    // One minute's tries are counted for each address: every test comes from its own.
    service = await startTestService({
      environment: { ...database.environment, MINISEAL_TRUSTED_PROXIES: '1' },
    })
    traffic = await makeTraffic(service)
    tokens = {
      reader: await newAuditor(service, 'lin', 'reader'),
      discloser: await newAuditor(service, 'wei', 'discloser'),
    }
  })

  beforeEach(() => {
    address += 1
    cookie = ''
  })

  afterAll(async () => {
    await service.close()
    await database.remove()
  })

  let address = 0

  async function call(path: string, options: RequestInit = {}): Promise<Response> {
    return await fetch(`${service.origin}/audit/api/${path}`, {
      ...options,
      headers: { cookie, 'x-forwarded-for': `198.51.100.${address}`, ...options.headers },
    })
  }

  async function signIn(token: string): Promise<Response> {
    const headers = { 'content-type': 'application/json' }
    const response = await call('session', { method: 'POST', headers, body: JSON.stringify({ token }) })
    cookie = response.headers.get('set-cookie')?.split(';')[0] ?? ''
    return response
  }

  async function get<T>(path: string): Promise<T> {
    const response = await call(path)
    expect(response.status, path).toBe(200)
    return (await response.json()) as T
  }

  async function expectProblem(response: Promise<Response>, status: number, code: string): Promise<void> {
    const answer = await response
    expect({ status: answer.status, ...((await answer.json()) as object) }).toMatchObject({ status, code })
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(answer.headers.get('cache-control')).toBe('no-store')
  }

  async function factsOfReads(): Promise<readonly unknown[]> {
    const leaves = await readLog(service.environment)
    return [...ofKind(leaves, 'audit-read'), ...ofKind(leaves, 'audit-exported')].map(
      ({ leaf }) => leaf.facts,
    )
  }

  it('sign-in exchanges a token for an HttpOnly, SameSite=Strict cookie without the token', async () => {
    const response = await signIn(tokens.reader)
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ name: 'lin', role: 'reader' })
    const field = response.headers.get('set-cookie') ?? ''
    expect(field).toMatch(/; HttpOnly/)
    expect(field).toMatch(/; SameSite=Strict/)
    expect(field).not.toContain(tokens.reader)
    expect(await get('session')).toMatchObject({ name: 'lin', keys: [expect.stringContaining('+')] })
  })

  it('the cookie is Secure and has the prefix __Host- when the origin is https', async () => {
    const secure = await startTestService({ environment: { MINISEAL_ORIGIN: 'https://pay.example.com' } })
    try {
      const token = await newAuditor(secure, 'wei', 'reader')
      const response = await fetch(`${secure.url}/audit/api/session`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ token }),
      })
      expect(response.headers.get('set-cookie')).toMatch(/^__Host-miniseal-audit=.*; Secure/)
    } finally {
      await secure.close()
    }
  })

  it('the API refuses requests with no cookie, a changed cookie, or a token instead of a cookie', async () => {
    await expectProblem(call('entries'), 401, 'signed_out')
    await signIn(tokens.reader)
    const good = cookie
    // The signed part names another account: the signature no longer matches.
    cookie = good.replace(/=(.)/, (_, first) => `=${first === 'A' ? 'B' : 'A'}`)
    await expectProblem(call('entries'), 401, 'signed_out')
    cookie = `miniseal-audit=${tokens.reader}`
    await expectProblem(call('entries'), 401, 'signed_out')
    cookie = ''
    await expectProblem(call(`entries?token=${tokens.reader}`), 401, 'signed_out')
  })

  it('the API refuses a wrong token, and the eleventh attempt of an address within a minute', async () => {
    for (let tries = 0; tries < 10; tries++)
      await expectProblem(signIn(`msa_${'A'.repeat(43)}`), 401, 'token_refused')
    await expectProblem(signIn(tokens.reader), 429, 'too_many_tries')
    address += 1
    expect((await signIn(tokens.reader)).status).toBe(200)
  })

  it('a session ends when the auditor signs out, is revoked, or is inactive for half an hour', async () => {
    await signIn(tokens.reader)
    const left = await call('session', { method: 'DELETE' })
    expect(left.headers.get('set-cookie')).toMatch(/miniseal-audit=;.*Max-Age=0/)
    const token = await newAuditor(service, 'gone', 'reader')
    await signIn(token)
    expect((await call('session')).status).toBe(200)
    await withStore(service.environment, (store) =>
      store.commit([{ kind: 'revoke-auditor', name: 'gone', now: service.now() }]),
    )
    await expectProblem(call('session'), 401, 'signed_out')
    await signIn(tokens.reader)
    service.advanceClock(1_801)
    await expectProblem(call('session'), 401, 'signed_out')
  })

  it('the API refuses requests from another site, even with the cookie', async () => {
    await signIn(tokens.reader)
    await expectProblem(call('entries', { headers: { 'sec-fetch-site': 'cross-site' } }), 403, 'other_site')
    await expectProblem(call('entries', { headers: { origin: 'https://evil.example' } }), 403, 'other_site')
    const out = { method: 'DELETE', headers: { origin: 'https://evil.example' } }
    await expectProblem(call('session', out), 403, 'other_site')
  })

  it('the API finds entries by each filter and names an invalid one', async () => {
    await signIn(tokens.reader)
    const all = await get<PageAnswer>(`entries?user=${traffic.payer}&path=/wallet/transfers`)
    expect(all.entries).toHaveLength(5)
    const [first] = all.entries
    expect(first).toMatchObject({ kind: 'request', core: { method: 'POST' }, sub: { user: traffic.payer } })
    for (const query of [
      `device=${first?.sub?.device}`,
      'path=/wallet/*',
      'kind=request&result=refused',
      `code=${first?.code}`,
      `receipt=${first?.id}`,
      `receipt=${first?.hash}`,
      `from=${new Date(first?.at ?? 0).toISOString()}&to=${new Date((first?.at ?? 0) + 1).toISOString()}`,
    ]) {
      const { entries } = await get<PageAnswer>(`entries?${query}`)
      expect(
        entries.map(({ id }) => id),
        query,
      ).toContain(first?.id)
    }
    await expectProblem(call('entries?device=short'), 400, 'invalid_parameter')
    const response = await call('entries?device=short')
    expect(await response.json()).toMatchObject({ field: 'device' })
  })

  it('the API refuses an invalid cursor, format or group, and a repeated parameter, and names the parameter', async () => {
    await signIn(tokens.discloser)
    const { entries } = await get<PageAnswer>('entries?kind=login')
    const before = (await factsOfReads()).length
    for (const [route, field] of [
      ['entries?before=x', 'before'],
      ['entries?after=-1', 'after'],
      ['entries?user=u_a&user=u_b', 'user'],
      ['consistency?origin=a/b&from=01', 'from'],
      ['export?format=xml', 'format'],
      ['export', 'format'],
      [`entries/${entries[0]?.id}/evidence?groups=core,other`, 'groups'],
    ] as const) {
      const response = await call(route)
      expect(await response.json()).toMatchObject({ status: 400, code: 'invalid_parameter', field })
    }
    expect(await factsOfReads()).toHaveLength(before)
  })

  it('the API refuses an unknown query parameter on every route, names it, and logs no access', async () => {
    await signIn(tokens.discloser)
    const { origin } = await get<{ origin: string }>('session')
    const { entries } = await get<PageAnswer>('entries?kind=login')
    const id = entries[0]?.id ?? ''
    const before = (await factsOfReads()).length
    for (const route of [
      'session?',
      'entries?user=u_nobody&',
      'entries?after=0&',
      `entries?before=${entries[0]?.globalIndex}&`,
      'timeline?kind=login&',
      'overview?from=2026-01-01&',
      'integrity?',
      `consistency?origin=${encodeURIComponent(origin)}&from=1&`,
      `entries/${id}?`,
      `entries/${id}/evidence?groups=core&`,
      'export?format=csv&',
    ])
      for (const [query, field] of [
        ['usr=u_misspelt', 'usr'],
        ['USER=u_x', 'USER'],
        ['limit', 'limit'],
        ['constructor=1', 'constructor'],
      ] as const) {
        const response = await call(route + query)
        expect({ route, status: response.status }).toEqual({ route, status: 400 })
        expect(await response.json()).toEqual({
          title: 'Unknown query parameter',
          status: 400,
          code: 'unknown_parameter',
          field,
        })
      }
    // A parameter of another route.
    await expectProblem(call('overview?kind=login'), 400, 'unknown_parameter')
    await expectProblem(call('timeline?before=1'), 400, 'unknown_parameter')
    await expectProblem(call('export?format=csv&after=0'), 400, 'unknown_parameter')
    await expectProblem(call('session?x=1', { method: 'DELETE' }), 400, 'unknown_parameter')
    expect((await call('session')).status).toBe(200)
    expect(await factsOfReads()).toHaveLength(before)
    await expectProblem(call('session?x=1', { method: 'POST' }), 400, 'unknown_parameter')
  })

  it('paging loses and repeats no entry while others are added', async () => {
    await signIn(tokens.reader)
    for (let i = 0; i < 55; i++) await get('overview')
    await isSettled(service)
    const seen: number[] = []
    let next: string | null = ''
    while (next !== null) {
      const page: PageAnswer = await get(`entries?kind=audit-read${next === '' ? '' : `&before=${next}`}`)
      seen.push(...page.entries.map(({ globalIndex }) => globalIndex))
      next = page.next
    }
    expect(seen.length).toBeGreaterThan(54)
    expect(new Set(seen).size).toBe(seen.length)
    expect([...seen].sort((a, b) => b - a)).toEqual(seen)
  })

  it('a reader gets neither address nor signature, and a discloser gets both', async () => {
    await signIn(tokens.reader)
    const { entries } = await get<PageAnswer>(
      `entries?user=${traffic.payer}&path=/wallet/transfers&result=ok`,
    )
    const id = entries[0]?.id ?? ''
    const read = await get<EntryAnswer>(`entries/${id}`)
    expect(Object.keys(read.groups).sort()).toEqual(['core', 'pay', 'sub'])
    expect([...read.withheld].sort()).toEqual(['net', 'sig'])
    await expectProblem(call('export?format=csv'), 403, 'not_for_your_role')
    await expectProblem(call(`entries/${id}/evidence`), 403, 'not_for_your_role')
    await signIn(tokens.discloser)
    const disclosed = await get<EntryAnswer>(`entries/${id}`)
    expect(Object.keys(disclosed.groups).sort()).toEqual(['core', 'net', 'pay', 'sig', 'sub'])
    expect(disclosed.withheld).toEqual([])
  })

  it('the API logs every read before its response, with the names of the filters but not their values', async () => {
    await signIn(tokens.discloser)
    const before = (await factsOfReads()).length
    await get(`entries?user=${traffic.payer}&kind=request`)
    await get('timeline?result=refused')
    await get('overview')
    await get('integrity')
    const { entries } = await get<PageAnswer>('entries?kind=login')
    const id = entries[0]?.id ?? ''
    await get(`entries/${id}`)
    await (await call('export?format=jsonl&kind=login')).text()
    await (await call(`entries/${id}/evidence`)).arrayBuffer()
    const facts = await factsOfReads()
    const by = { auditor: 'wei', by: 'pages' }
    expect(facts).toHaveLength(before + 8)
    expect(facts).toEqual(
      expect.arrayContaining([
        { ...by, what: 'search', filters: 'kind user' },
        { ...by, what: 'timeline', filters: 'result' },
        { ...by, what: 'overview' },
        { ...by, what: 'integrity' },
        { ...by, what: 'entry', entry: id },
        { ...by, what: 'jsonl', filters: 'kind' },
        { ...by, what: 'evidence', entry: id },
      ]),
    )
    expect(JSON.stringify(facts)).not.toContain(traffic.payer)
  })

  it('a live table is logged once a minute and gets no older entries', async () => {
    await signIn(tokens.discloser)
    await get('entries')
    const before = (await factsOfReads()).length
    for (let i = 0; i < 5; i++) await get('entries?after=0')
    expect(await factsOfReads()).toHaveLength(before + 1)
    service.advanceClock(300)
    expect((await get<PageAnswer>('entries?after=0&kind=login')).entries).toEqual([])
    service.advanceClock(-300)
  })

  it('the timeline uses hourly counts where the filter allows it, and counts entries otherwise', async () => {
    await signIn(tokens.reader)
    const total = ({ buckets }: TimelineAnswer): number =>
      buckets.reduce((sum, { ok, refused, failed, unknown }) => sum + ok + refused + failed + unknown, 0)
    const day = 86_400_000
    const from = new Date(service.now() * 1_000 - day).toISOString()
    const byHours = await get<TimelineAnswer>(`timeline?from=${from}&kind=login`)
    expect(byHours.step).toBeGreaterThanOrEqual(3_600_000)
    expect(total(byHours)).toBe(2)
    const scanned = await get<TimelineAnswer>(`timeline?from=${from}&kind=login&user=${traffic.payer}`)
    expect(total(scanned)).toBe(1)
    expect(scanned.isComplete).toBe(true)
  })

  it('the API exports evidence that verifies offline, and the filtered entries as CSV and JSON lines', async () => {
    await signIn(tokens.discloser)
    const query = `user=${traffic.payer}&path=/wallet/transfers&result=ok`
    const { entries } = await get<PageAnswer>(`entries?${query}`)
    const archive = await (await call(`entries/${entries[0]?.id}/evidence`)).arrayBuffer()
    const steps = checkEvidence(readBundle(new Uint8Array(archive)), {
      vkeys: [],
      policy: undefined,
      body: undefined,
    })
    expect(steps.filter(({ outcome }) => outcome === 'failed')).toEqual([])
    const csv = await call(`export?format=csv&${query}`)
    expect(csv.headers.get('content-disposition')).toBe('attachment; filename="audit.csv"')
    expect((await csv.text()).trim().split('\r\n')).toHaveLength(entries.length + 1)
    const lines = (await (await call(`export?format=jsonl&${query}`)).text()).trim().split('\n')
    expect(lines.map((line) => JSON.parse(line).id)).toEqual(entries.map(({ id }) => id))
    await expectProblem(call('export?format=xml'), 400, 'invalid_parameter')
  })

  it('the API proves consistency with an earlier size and refuses a size that the log never had', async () => {
    await signIn(tokens.reader)
    const { origin } = await get<{ origin: string }>('session')
    const query = `consistency?origin=${encodeURIComponent(origin)}`
    expect(await get(`${query}&from=3`)).toMatchObject({ origin, from: 3, proof: expect.any(Array) })
    await expectProblem(call(`${query}&from=999999`), 404, 'not_found')
    await expectProblem(call('consistency?origin=elsewhere&from=1'), 404, 'not_found')
    await expectProblem(call(`${query}&from=x`), 400, 'invalid_parameter')
  })

  it('an entry that was changed in the database is shown as damaged, and others are unaffected', async () => {
    await signIn(tokens.discloser)
    const before = await get<PageAnswer>('entries')
    const chosen = before.entries.findLast(({ detail }) => detail === 'opened')
    if (chosen === undefined) throw new Error('nothing to change')
    await disturb(service, `update tlog_entries set detail = hash where global_index = ${chosen.globalIndex}`)
    const after = await get<PageAnswer>(`entries?before=${chosen.globalIndex + 1}`)
    expect(after.entries[0]).toMatchObject({ globalIndex: chosen.globalIndex, detail: 'damaged' })
    expect(after.entries.slice(1).every(({ detail }) => detail !== 'damaged')).toBe(true)
    const entry = await get<EntryAnswer>(`entries/${chosen.id}`)
    expect(entry).toMatchObject({ row: { detail: 'damaged' }, groups: {}, withheld: [] })
    expect(entry.proof).not.toBeNull()
  })
})

it.each(['auditing.md', 'auditing.zh-CN.md'])('%s lists every problem code of the auditors’ API', (guide) => {
  const text = readFileSync(new URL(`../../../docs/guides/${guide}`, import.meta.url), 'utf8')
  const listed = [...text.matchAll(/^\| `([a-z_]+)` \| [45]\d\d \|/gm)].map(([, code]) => code)
  expect(listed.sort()).toEqual(Object.keys(auditProblems).sort())
})
