/** The pages at the `type` of refusals, in both languages, for people and for programs. */
import { describe, expect, it } from 'vitest'
import { problemCodes, problemRow } from '../../../service/problems/catalogue.ts'
import { referenceRoutes } from '../../../service/reference/routes.ts'

const app = referenceRoutes('https://pay.example.com')

async function get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return await app.request(path, { headers })
}

const browser = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' }

/** Text as a page shows it: without the marks for code and emphasis. */
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

describe.each(problemCodes)('the page of %s', (code) => {
  const { texts, status, steps, isRetryable } = problemRow(code)

  it.each(['en', 'zh-CN'] as const)(
    'a problem page has status, steps and every text of the catalogue in %s',
    async (language) => {
      const response = await get(`/docs/problems/${code}`, { ...browser, 'accept-language': language })
      expect(response.status).toBe(200)
      const html = await response.text()
      expect(html).toContain(`<html lang="${language}"`)
      const shown = textOf(html)
      const { title, means, client, operator } = texts[language]
      for (const text of [title, means, client, operator]) expect(shown).toContain(plain(text))
      expect(shown).toContain(String(status))
      expect(shown).toContain(steps.join(', '))
      expect(html).toContain(`?lang=${language === 'en' ? 'zh-CN' : 'en'}`)
    },
  )

  it('a problem page is JSON for a client that does not accept HTML', async () => {
    const response = await get(`/docs/problems/${code}`, { accept: '*/*' })
    expect(await response.json()).toMatchObject({
      type: `https://pay.example.com/docs/problems/${code}`,
      ...{ code, status, retryable: isRetryable, steps },
      means: texts.en.means,
    })
  })
})

it('the index lists every code once', async () => {
  const html = await (await get('/docs/problems', browser)).text()
  const linked = [...html.matchAll(/href="\/docs\/problems\/([a-z_]+)\?/g)].map(([, code]) => code)
  expect(linked.sort()).toEqual([...problemCodes].sort())
  const json = (await (await get('/docs/problems')).json()) as { readonly problems: readonly unknown[] }
  expect(json.problems).toHaveLength(problemCodes.length)
})

it.each(['/docs/problems', '/docs/problems/replayed'])(
  'the page %s has no script and a policy that would block one',
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

it('the language of the query takes precedence over the language of the browser', async () => {
  const chinese = { ...browser, 'accept-language': 'zh-CN,zh;q=0.9' }
  const response = await get('/docs/problems/replayed?lang=en', chinese)
  expect(response.headers.get('content-language')).toBe('en')
  const odd = await get('/docs/problems/replayed?lang=%22%3E%3Cscript%3E', browser)
  expect(await odd.text()).toContain('<html lang="en"')
})

it('an unknown code gets 404, and the response does not repeat it', async () => {
  for (const headers of [browser, { accept: 'application/json' }]) {
    const response = await get('/docs/problems/%3Cscript%3Ealert', headers)
    expect(response.status).toBe(404)
    expect(await response.text()).not.toContain('alert')
  }
  expect((await get('/docs/problems/toString', browser)).status).toBe(404)
})
