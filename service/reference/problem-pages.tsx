/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The pages of the problem codes, one for each code and one for all, from the one table. Without a script. */
import type { ProtocolCode } from 'miniseal-protocol/errors'
import type { Language } from '../messages/language.ts'
import type { ProblemRow } from '../messages/problem-table.ts'
import { problemCodes, problemRow } from '../messages/problem-table.ts'
import type { ProblemText } from '../messages/problems-en.ts'
import { problemsEn } from '../messages/problems-en.ts'
import { problemsZh } from '../messages/problems-zh.ts'
import { problemStyle } from './problem-style.ts'
import type { ProblemGroup } from './problem-words.ts'
import { pageTexts } from './problem-words.ts'

/** The title and texts of a code in a language. */
export function problemText(
  code: ProtocolCode,
  language: Language,
): ProblemText & { readonly title: string } {
  return language === 'zh-CN' ? problemsZh[code] : { ...problemsEn[code], title: problemRow(code).title }
}

function groupOf({ isClear, steps: [step = ''], code }: ProblemRow): ProblemGroup {
  if (isClear) return 'clear'
  if (step === 'idempotency') return 'idempotency'
  if (code.startsWith('step_up')) return 'confirmation'
  if (/^(?:login|device|wechat)_/.test(code)) return 'login'
  return /^(?:rate_limited|upstream_unavailable|unavailable|internal)$/.test(code) ? 'service' : 'request'
}

const groups: readonly ProblemGroup[] = [
  'clear',
  'request',
  'idempotency',
  'login',
  'confirmation',
  'service',
]

/** The page of all codes. */
export function indexPage(language: Language): string {
  const words = pageTexts[language]
  return documentOf(
    <Page language={language} title={words.index} path="/docs/problems">
      <main class="wide">
        <h1>{words.index}</h1>
        <p class="lead">{words.lead}</p>
        {groups.map((group) => (
          <section>
            <h2>{words.groups[group]}</h2>
            <ul class="codes">
              {problemCodes
                .map(problemRow)
                .filter((row) => groupOf(row) === group)
                .map((row) => (
                  <li>
                    <Line row={row} language={language} />
                  </li>
                ))}
            </ul>
          </section>
        ))}
      </main>
    </Page>,
  )
}

function Line({ row, language }: { readonly row: ProblemRow; readonly language: Language }) {
  const words = pageTexts[language]
  return (
    <a href={`/docs/problems/${row.code}?lang=${language}`}>
      <span class="code">{row.code}</span>
      <span class="title">{problemText(row.code, language).title}</span>
      <span class="status">{row.status}</span>
      <span class="retry yes">{row.retryable ? words.retry : ''}</span>
    </a>
  )
}

/** The page of one code. @param origin of the service, for the example */
export function problemPage(code: ProtocolCode, language: Language, origin: string): string {
  const words = pageTexts[language]
  const row = problemRow(code)
  const text = problemText(code, language)
  return documentOf(
    <Page language={language} title={`${code} · ${text.title}`} path={`/docs/problems/${code}`}>
      <main>
        <h1>{text.title}</h1>
        <p class="name">
          <code>{code}</code>
        </p>
        <Facts row={row} language={language} />
        <h2>{words.means}</h2>
        <p>
          <Marked text={text.means} />
        </p>
        <h2>{words.client}</h2>
        <p>
          <Marked text={text.client} />
        </p>
        <h2>{words.operator}</h2>
        <p>
          <Marked text={text.operator} />
        </p>
        <h2>{words.example}</h2>
        <pre tabindex={0}>{exampleOf(row, origin)}</pre>
        <p>
          <br />
          <a href={`/docs/problems?lang=${language}`}>{words.all}</a>
        </p>
      </main>
    </Page>,
  )
}

function Facts({ row, language }: { readonly row: ProblemRow; readonly language: Language }) {
  const words = pageTexts[language]
  return (
    <dl class="facts">
      <div>
        <dt>{words.status}</dt>
        <dd>{row.code === 'overloaded' ? '503, 429' : row.status}</dd>
      </div>
      <div>
        <dt>{words.step}</dt>
        <dd>{row.steps.join(', ')}</dd>
      </div>
      <div>
        <dt>{words.retry}</dt>
        <dd class={row.retryable ? 'yes' : ''}>{row.retryable ? words.yes : words.no}</dd>
      </div>
      <div>
        <dt>{words.sent}</dt>
        <dd>{row.isClear ? words.clear : words.sealed}</dd>
      </div>
      {row.retryAfter === undefined ? null : (
        <div>
          <dt>{words.seconds}</dt>
          <dd>{row.retryAfter}</dd>
        </div>
      )}
    </dl>
  )
}

function exampleOf(row: ProblemRow, origin: string): string {
  const example = {
    type: `${origin}/docs/problems/${row.code}`,
    title: row.title,
    status: row.status,
    detail: '…',
    instance: 'urn:uuid:…',
    code: row.code,
    step: row.steps[0],
    time: 1_764_000_000,
    retryable: row.retryable,
  }
  return JSON.stringify(example, null, 2)
}

/** Text in which backticks stand for code, and two asterisks for what is strong. */
function Marked({ text }: { readonly text: string }) {
  const parts = text.split(/(`[^`]+`|\*\*[^*]+\*\*)/)
  return (
    <>
      {parts.map((part) => {
        if (part.startsWith('`')) return <code>{part.slice(1, -1)}</code>
        return part.startsWith('**') ? <strong>{part.slice(2, -2)}</strong> : part
      })}
    </>
  )
}

/** The page for a code that is none. */
export function unknownPage(language: Language): string {
  const words = pageTexts[language]
  return documentOf(
    <Page language={language} title={words.unknownCode} path="/docs/problems">
      <main>
        <h1>{words.unknownCode}</h1>
        <p>
          <a href={`/docs/problems?lang=${language}`}>{words.all}</a>
        </p>
      </main>
    </Page>,
  )
}

interface PageParts {
  readonly language: Language
  readonly title: string
  readonly path: string
  readonly children?: unknown
}

function Page({ language, title, path, children }: PageParts) {
  const words = pageTexts[language]
  const other: Language = language === 'en' ? 'zh-CN' : 'en'
  return (
    <html lang={language}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        <title>{`${title} · Miniseal`}</title>
        <link rel="icon" href="data:," />
        <style dangerouslySetInnerHTML={{ __html: problemStyle }} />
      </head>
      <body>
        <header class="top">
          <a class="brand" href={`/docs/problems?lang=${language}`}>
            Miniseal · {words.index}
          </a>
          <a class="language" href={`${path}?lang=${other}`} hreflang={other} lang={other}>
            {words.other}
          </a>
        </header>
        {children}
      </body>
    </html>
  )
}

function documentOf(page: unknown): string {
  return `<!doctype html>${String(page)}`
}
