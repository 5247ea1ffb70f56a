/** `/docs/problems`, where the `type` of every refusal leads, and `/openapi.json`. Public, the same for everybody. */
import { createHash } from 'node:crypto'
import type { Context } from 'hono'
import { Hono } from 'hono'
import { accepts } from 'hono/accepts'
import type { ProtocolCode } from 'miniseal-protocol/errors'
import type { Language } from '../messages/language.ts'
import { languageOf } from '../messages/language.ts'
import { findProblemCode, problemCodes, problemRow } from '../messages/problem-table.ts'
import { openApiDocument } from './openapi.ts'
import { indexPage, problemPage, problemText, unknownPage } from './problem-pages.tsx'
import { problemStyle } from './problem-style.ts'

/** Nothing but the one style, by its digest: no script, nothing from elsewhere, nowhere in a frame. */
const policy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(problemStyle).digest('base64')}'`,
  'img-src data:',
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

/** For how long anybody may keep the pages, in seconds. */
const maxAge = 3600

/** @param origin of the service */
export function referenceRoutes(origin: string): Hono {
  const app = new Hono()
  app.get('/docs/problems', (c) => {
    const language = chosen(c)
    const all = (): unknown => ({ problems: problemCodes.map((code) => described(code, language, origin)) })
    return answer(c, language, 200, () => indexPage(language), all)
  })
  app.get('/docs/problems/:code', (c) => {
    const language = chosen(c)
    const code = findProblemCode(c.req.param('code'))
    if (code === undefined) {
      return wantsPage(c)
        ? answer(
            c,
            language,
            404,
            () => unknownPage(language),
            () => ({}),
          )
        : c.notFound()
    }
    const one = (): unknown => described(code, language, origin)
    return answer(c, language, 200, () => problemPage(code, language, origin), one)
  })
  let document: string | undefined
  app.get('/openapi.json', (c) => {
    document ??= `${JSON.stringify(openApiDocument(origin))}\n`
    c.header('cache-control', `public, max-age=${maxAge}`)
    return c.body(document, 200, { 'content-type': 'application/json' })
  })
  return app
}

/** What a program gets. */
function described(
  code: ProtocolCode,
  language: Language,
  origin: string,
): Readonly<Record<string, unknown>> {
  const { status, retryable, retryAfter, steps, isClear } = problemRow(code)
  const { title, means, client, operator } = problemText(code, language)
  return {
    type: `${origin}/docs/problems/${code}`,
    ...{ code, title, status, retryable, steps, clear: isClear },
    ...(retryAfter === undefined ? {} : { retry_after: retryAfter }),
    ...{ means, client, operator },
  }
}

/** The language that the address asks for, or the browser. Attacker-controlled. */
function chosen(c: Context): Language {
  const asked = c.req.query('lang')
  return asked === 'en' || asked === 'zh-CN' ? asked : languageOf(c.req.header('accept-language'))
}

/** Browsers name `text/html`; programs that name nothing get JSON. */
function wantsPage(c: Context): boolean {
  const supports = ['text/html', 'application/json', 'application/problem+json']
  return accepts(c, { header: 'Accept', supports, default: 'application/json' }) === 'text/html'
}

function answer(
  c: Context,
  language: Language,
  status: 200 | 404,
  page: () => string,
  value: () => unknown,
): Response | Promise<Response> {
  c.header('vary', 'accept, accept-language')
  c.header('cache-control', `public, max-age=${maxAge}`)
  c.header('content-language', language)
  if (!wantsPage(c))
    return c.body(`${JSON.stringify(value())}\n`, status, { 'content-type': 'application/json' })
  c.header('content-security-policy', policy)
  c.header('referrer-policy', 'no-referrer')
  return c.html(page(), status)
}
