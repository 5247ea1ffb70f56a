/** `/docs/problems`, the target of the `type` of every problem document, and `/openapi.json`. Public and cacheable. */
import { createHash } from 'node:crypto'
import { type Context, Hono } from 'hono'
import { accepts } from 'hono/accepts'
import type { ProtocolCode } from 'miniseal-protocol/errors'
import type { Language } from '../problems/catalogue.ts'
import { findProblemCode, languageOf, problemCodes, problemRow } from '../problems/catalogue.ts'
import { openApiDocument } from './openapi.ts'
import { indexPage, problemPage, problemStyle, unknownPage } from './problem-pages.tsx'

const policy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(problemStyle).digest('base64')}'`,
  'img-src data:',
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

const caching = 'public, max-age=3600'

/** @param origin of the service */
export function referenceRoutes(origin: string): Hono {
  const app = new Hono()
  app.get('/docs/problems', (c) => {
    const language = requestedLanguage(c)
    return answer(c, language, 200, {
      page: () => indexPage(language),
      json: () => ({ problems: problemCodes.map((code) => problemJson(code, language, origin)) }),
    })
  })
  app.get('/docs/problems/:code', (c) => {
    const language = requestedLanguage(c)
    const code = findProblemCode(c.req.param('code'))
    if (code !== undefined)
      return answer(c, language, 200, {
        page: () => problemPage(code, language, origin),
        json: () => problemJson(code, language, origin),
      })
    if (!acceptsPage(c)) return c.notFound()
    return answer(c, language, 404, { page: () => unknownPage(language), json: () => ({}) })
  })
  let document: string | undefined
  app.get('/openapi.json', (c) => {
    document ??= `${JSON.stringify(openApiDocument(origin))}\n`
    return c.body(document, 200, { 'content-type': 'application/json', 'cache-control': caching })
  })
  return app
}

function problemJson(code: ProtocolCode, language: Language, origin: string): unknown {
  const { status, isRetryable, retryAfter, steps, isClear, texts } = problemRow(code)
  const { title, means, client, operator } = texts[language]
  return {
    type: `${origin}/docs/problems/${code}`,
    ...{ code, title, status, retryable: isRetryable, steps, clear: isClear },
    ...(retryAfter === undefined ? {} : { retry_after: retryAfter }),
    ...{ means, client, operator },
  }
}

/** The language of the query, else of the browser. Attacker-controlled. */
function requestedLanguage(c: Context): Language {
  const lang = c.req.query('lang')
  return lang === 'en' || lang === 'zh-CN' ? lang : languageOf(c.req.header('accept-language'))
}

/** Browsers accept `text/html`; programs without an `Accept` field get JSON. */
function acceptsPage(c: Context): boolean {
  const supports = ['text/html', 'application/json', 'application/problem+json']
  return accepts(c, { header: 'Accept', supports, default: 'application/json' }) === 'text/html'
}

interface Representations {
  readonly page: () => string
  readonly json: () => unknown
}

function answer(
  c: Context,
  language: Language,
  status: 200 | 404,
  { page, json }: Representations,
): Response | Promise<Response> {
  c.header('vary', 'accept, accept-language')
  c.header('cache-control', caching)
  c.header('content-language', language)
  if (!acceptsPage(c))
    return c.body(`${JSON.stringify(json())}\n`, status, { 'content-type': 'application/json' })
  c.header('content-security-policy', policy)
  c.header('referrer-policy', 'no-referrer')
  return c.html(page(), status)
}
