/** The pages at the `type` of refusals: every code, in both languages, for people and for programs; and the document that says the same. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { ProtocolCode } from '../../../crypto/errors.ts'
import { problemCodes, problemRow } from '../../../service/messages/problem-table.ts'
import { problemsEn } from '../../../service/messages/problems-en.ts'
import { problemsZh } from '../../../service/messages/problems-zh.ts'
import { referenceRoutes } from '../../../service/reference/routes.ts'

const app = referenceRoutes('https://pay.example.com')

async function get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return await app.request(path, { headers })
}

const browser = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' }

/** Text as a page shows it: without the marks for code and for what is strong. */
function plain(text: string): string {
  return text.replaceAll('`', '').replaceAll('**', '')
}

function textOf(html: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&quot;': '"',
    '&amp;': '&',
    '&lt;': '<',
    '&gt;': '>',
    '&#39;': "'",
  }
  return html.replace(/<[^>]+>/g, '').replace(/&[a-z#0-9]+;/g, (entity) => entities[entity] ?? entity)
}

/** Fails to compile when a code of the closed list is missing here. */
const closedList: Readonly<Record<ProtocolCode, true>> = {
  malformed_frame: true,
  unknown_agreement_key: true,
  unknown_session: true,
  frame_too_large: true,
  cannot_open: true,
  overloaded: true,
  signature_missing: true,
  signature_malformed: true,
  components_incomplete: true,
  tag_invalid: true,
  alg_not_allowed: true,
  window_invalid: true,
  digest_mismatch: true,
  key_unknown: true,
  key_revoked: true,
  signature_invalid: true,
  token_missing: true,
  token_invalid: true,
  token_expired: true,
  token_key_mismatch: true,
  replayed: true,
  session_ended: true,
  idempotency_missing: true,
  idempotency_in_progress: true,
  idempotency_mismatch: true,
  request_cancelled: true,
  step_up_required: true,
  step_up_invalid: true,
  login_code_invalid: true,
  login_code_used: true,
  login_blocked: true,
  login_busy: true,
  wechat_unavailable: true,
  device_key_refused: true,
  rate_limited: true,
  payload_invalid: true,
  not_found: true,
  upstream_unavailable: true,
  unavailable: true,
  internal: true,
}

describe.each(Object.keys(closedList) as ProtocolCode[])('the page of %s', (code) => {
  it.each([
    ['en', problemsEn[code], problemRow(code).title],
    ['zh-CN', problemsZh[code], problemsZh[code].title],
  ] as const)('says everything in %s', async (language, text, title) => {
    const response = await get(`/docs/problems/${code}`, { ...browser, 'accept-language': language })
    expect(response.status).toBe(200)
    const html = await response.text()
    expect(html).toContain(`<html lang="${language}"`)
    const said = textOf(html)
    for (const part of [title, text.means, text.client, text.operator]) expect(said).toContain(plain(part))
    expect(said).toContain(String(problemRow(code).status))
    expect(said).toContain(problemRow(code).steps.join(', '))
    expect(html).toContain(`?lang=${language === 'en' ? 'zh-CN' : 'en'}`)
  })

  it('is JSON for programs', async () => {
    const response = await get(`/docs/problems/${code}`, { accept: '*/*' })
    const { status, retryable, steps } = problemRow(code)
    expect(await response.json()).toMatchObject({
      type: `https://pay.example.com/docs/problems/${code}`,
      ...{ code, status, retryable, steps },
      means: problemsEn[code].means,
    })
  })
})

describe('the pages', () => {
  it('list every code of the closed list, and no other', async () => {
    expect([...problemCodes].sort()).toEqual(Object.keys(closedList).sort())
    const html = await (await get('/docs/problems', browser)).text()
    const linked = [...html.matchAll(/href="\/docs\/problems\/([a-z_]+)\?/g)].map(([, code]) => code)
    expect(linked.sort()).toEqual(Object.keys(closedList).sort())
    const json = (await (await get('/docs/problems')).json()) as { readonly problems: readonly unknown[] }
    expect(json.problems).toHaveLength(problemCodes.length)
  })

  it.each(['/docs/problems', '/docs/problems/replayed'])(
    '%s has no script, and a policy that would stop one',
    async (path) => {
      const response = await get(path, browser)
      const policy = response.headers.get('content-security-policy') ?? ''
      expect(policy).toMatch(
        /^default-src 'none'; style-src 'sha256-[^']+'; img-src data:; frame-ancestors 'none'/,
      )
      expect(policy).not.toContain('unsafe')
      expect(await response.text()).not.toMatch(/<script|\son[a-z]+=|style="/)
      expect(response.headers.get('vary')).toBe('accept, accept-language')
    },
  )

  it('answer in the language of the address before that of the browser', async () => {
    const response = await get('/docs/problems/replayed?lang=en', {
      ...browser,
      'accept-language': 'zh-CN,zh;q=0.9',
    })
    expect(response.headers.get('content-language')).toBe('en')
    const odd = await get('/docs/problems/replayed?lang=%22%3E%3Cscript%3E', browser)
    expect(await odd.text()).toContain('<html lang="en"')
  })

  it('say so for a code that is none, and repeat nothing of it', async () => {
    for (const headers of [browser, { accept: 'application/json' }]) {
      const response = await get('/docs/problems/%3Cscript%3Ealert', headers)
      expect(response.status).toBe(404)
      expect(await response.text()).not.toContain('alert')
    }
    expect((await get('/docs/problems/toString', browser)).status).toBe(404)
  })
})

describe('docs/reference/problems.md', () => {
  const document = readFileSync(new URL('../../../docs/reference/problems.md', import.meta.url), 'utf8')
  const [service = ''] = document.split('## Codes of the client library')
  const rows = [...service.matchAll(/^\| `([a-z_]+)` +\|(.*)\|$/gm)].map(([, code = '', rest = '']) => [
    code,
    ...rest.split('|').map((cell) => cell.trim()),
  ])

  it('has a row for every code of the table', () => {
    expect(rows.map(([code]) => code).sort()).toEqual([...problemCodes].sort())
  })

  it.each(rows)('says of %s what the table says', (code, status, retryable, means, client) => {
    const row = problemRow(code as ProtocolCode)
    expect(status?.split(', ')[0]).toBe(String(row.status))
    expect(retryable).toBe(row.retryable ? 'yes' : 'no')
    expect([means, client]).toEqual([problemsEn[row.code].means, problemsEn[row.code].client])
  })

  it('names each Retry-After once', () => {
    const [line = '', ...more] = service.split('\n').filter((text) => text.startsWith('- `Retry-After`'))
    expect(more).toEqual([])
    for (const code of problemCodes) {
      const { retryAfter } = problemRow(code)
      if (retryAfter !== undefined) expect(line).toContain(`\`${code}\` ${retryAfter}`)
    }
  })
})
