/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The pages of the problem codes: an index and a page for each code. They have no script. */
import type { ProtocolCode } from 'miniseal-protocol/errors'
import type { Language, ProblemRow } from '../problems/catalogue.ts'
import { problemCodes, problemGroups, problemRow } from '../problems/catalogue.ts'

const english = {
  index: 'Problem codes',
  lead: 'A refusal is a problem document (RFC 9457) with one of these codes. Programs act on the code, never on the texts.',
  step: 'Step',
  retry: 'Retryable',
  yes: 'yes',
  no: 'no',
  status: 'HTTP status',
  sent: 'Sent',
  clear: 'in the clear: a hint',
  sealed: 'sealed and signed',
  seconds: 'Retry-After, seconds',
  means: 'Meaning',
  client: 'What the client does',
  operator: 'What the operator checks',
  example: 'Example',
  all: 'All problem codes',
  other: '中文',
  unknownCode: 'Unknown problem code',
  groups: {
    clear: 'Answered in the clear',
    request: 'Request',
    idempotency: 'Idempotency',
    login: 'Login',
    confirmation: 'Biometric confirmation',
    service: 'Service, backend and limits',
  },
}

const chinese: typeof english = {
  index: '错误码',
  lead: '请求被拒绝时返回问题文档（RFC 9457），带有下列错误码之一。程序只依据错误码处理，不依据文字。',
  step: '步骤',
  retry: '可以重试',
  yes: '可以',
  no: '不可以',
  status: 'HTTP 状态码',
  sent: '发送方式',
  clear: '明文：仅供参考',
  sealed: '加密并签名',
  seconds: 'Retry-After（秒）',
  means: '含义',
  client: '客户端处理方式',
  operator: '运维检查项',
  example: '文档示例',
  all: '全部错误码',
  other: 'English',
  unknownCode: '没有这个错误码',
  groups: {
    clear: '明文返回',
    request: '请求',
    idempotency: '幂等',
    login: '登录',
    confirmation: '二次验证',
    service: '服务、后端与限额',
  },
}

const pageTexts: Readonly<Record<Language, typeof english>> = { en: english, 'zh-CN': chinese }

/** The page of all codes. */
export function indexPage(language: Language): string {
  const texts = pageTexts[language]
  return documentOf(
    <Page language={language} title={texts.index} path="/docs/problems">
      <main class="wide">
        <h1>{texts.index}</h1>
        <p class="lead">{texts.lead}</p>
        {problemGroups.map((group) => (
          <section>
            <h2>{texts.groups[group]}</h2>
            <ul class="codes">
              {problemCodes
                .map(problemRow)
                .filter((row) => row.group === group)
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
  const texts = pageTexts[language]
  return (
    <a href={`/docs/problems/${row.code}?lang=${language}`}>
      <span class="code">{row.code}</span>
      <span class="title">{row.texts[language].title}</span>
      <span class="status">{row.status}</span>
      <span class="retry yes">{row.isRetryable ? texts.retry : ''}</span>
    </a>
  )
}

/** The page of one code. @param origin of the service, for the example */
export function problemPage(code: ProtocolCode, language: Language, origin: string): string {
  const texts = pageTexts[language]
  const row = problemRow(code)
  const text = row.texts[language]
  return documentOf(
    <Page language={language} title={`${code} · ${text.title}`} path={`/docs/problems/${code}`}>
      <main>
        <h1>{text.title}</h1>
        <p class="name">
          <code>{code}</code>
        </p>
        <Facts row={row} language={language} />
        <h2>{texts.means}</h2>
        <p>
          <Marked text={text.means} />
        </p>
        <h2>{texts.client}</h2>
        <p>
          <Marked text={text.client} />
        </p>
        <h2>{texts.operator}</h2>
        <p>
          <Marked text={text.operator} />
        </p>
        <h2>{texts.example}</h2>
        <pre tabindex={0}>{exampleOf(row, origin)}</pre>
        <p>
          <br />
          <a href={`/docs/problems?lang=${language}`}>{texts.all}</a>
        </p>
      </main>
    </Page>,
  )
}

function Facts({ row, language }: { readonly row: ProblemRow; readonly language: Language }) {
  const texts = pageTexts[language]
  const facts: readonly (readonly [string, string | number])[] = [
    [texts.status, row.code === 'overloaded' ? '503, 429' : row.status],
    [texts.step, row.steps.join(', ')],
    [texts.retry, row.isRetryable ? texts.yes : texts.no],
    [texts.sent, row.isClear ? texts.clear : texts.sealed],
    ...(row.retryAfter === undefined ? [] : [[texts.seconds, row.retryAfter] as const]),
  ]
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div>
          <dt>{name}</dt>
          <dd class={value === texts.yes ? 'yes' : ''}>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

function exampleOf(row: ProblemRow, origin: string): string {
  const example = {
    type: `${origin}/docs/problems/${row.code}`,
    title: row.texts.en.title,
    status: row.status,
    detail: '…',
    instance: 'urn:uuid:…',
    code: row.code,
    step: row.steps[0],
    time: 1_764_000_000,
    retryable: row.isRetryable,
  }
  return JSON.stringify(example, null, 2)
}

/** Renders the marks of the catalogue: backticks and two asterisks. */
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

/** The page for an unknown code. */
export function unknownPage(language: Language): string {
  const texts = pageTexts[language]
  return documentOf(
    <Page language={language} title={texts.unknownCode} path="/docs/problems">
      <main>
        <h1>{texts.unknownCode}</h1>
        <p>
          <a href={`/docs/problems?lang=${language}`}>{texts.all}</a>
        </p>
      </main>
    </Page>,
  )
}

interface PageProps {
  readonly language: Language
  readonly title: string
  readonly path: string
  readonly children?: unknown
}

function Page({ language, title, path, children }: PageProps) {
  const texts = pageTexts[language]
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
            Miniseal · {texts.index}
          </a>
          <a class="language" href={`${path}?lang=${other}`} hreflang={other} lang={other}>
            {texts.other}
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

/** A subset of the style of the audit pages. */
export const problemStyle = `
:root { color-scheme: light dark; --page: #ffffff; --panel: #f6f7f9; --text: #1b2330; --quiet: #566072;
  --line: #dfe3e9; --accent: #1c5bb8; --good: #17693a;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace; }
@media (prefers-color-scheme: dark) { :root { --page: #12161d; --panel: #1a2029; --text: #e4e8ee; --quiet: #a2adbd;
  --line: #2c3542; --accent: #86b4f5; --good: #6fcf97; } }
* { box-sizing: border-box; }
html { font: 15px/1.55 system-ui, -apple-system, "Segoe UI", "Noto Sans", "PingFang SC", "Microsoft YaHei",
  "Noto Sans CJK SC", sans-serif; background: var(--page); color: var(--text); font-variant-numeric: tabular-nums; }
body { margin: 0; }
a { color: var(--accent); text-underline-offset: 2px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
.top { display: flex; align-items: center; gap: 8px 16px; min-height: 48px; padding: 0 20px; border-bottom: 1px solid var(--line); }
.top a { display: inline-flex; align-items: center; min-height: 44px; }
.brand { font-weight: 650; color: var(--text); text-decoration: none; }
.top .language { margin-left: auto; white-space: nowrap; }
main { max-width: 760px; margin: 0 auto; padding: 24px 20px 56px; }
main.wide { max-width: 1000px; }
h1 { font-size: 24px; line-height: 1.3; font-weight: 650; margin: 0 0 8px; overflow-wrap: anywhere; }
h2 { font-size: 15px; font-weight: 650; margin: 28px 0 6px; }
p { margin: 0 0 8px; }
code, pre { font-family: var(--mono); font-size: 0.88em; }
code { background: var(--panel); border-radius: 4px; padding: 1px 5px; overflow-wrap: anywhere; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: 12px 14px; overflow-x: auto; line-height: 1.5; margin: 0; }
.name { color: var(--quiet); margin: 0 0 18px; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 1px; margin: 0;
  background: var(--line); border: 1px solid var(--line); border-radius: 6px; overflow: hidden; }
.facts div { background: var(--panel); padding: 10px 14px; }
dt { color: var(--quiet); font-size: 13px; }
dd { margin: 0; font-weight: 600; }
.yes { color: var(--good); }
.lead { color: var(--quiet); max-width: 68ch; }
.codes { list-style: none; margin: 8px 0 0; padding: 0; border-top: 1px solid var(--line); }
.codes a { display: grid; grid-template-columns: 250px 1fr 3.5ch 9em; gap: 4px 16px; align-items: baseline; padding: 9px 4px;
  border-bottom: 1px solid var(--line); text-decoration: none; color: var(--text); }
.codes a:hover { background: var(--panel); }
.codes a:hover .code { text-decoration: underline; }
.codes .code { font-family: var(--mono); font-size: 13px; color: var(--accent); overflow-wrap: anywhere; }
.codes .status { color: var(--quiet); }
.codes .retry { font-size: 13px; text-align: right; }
@media (max-width: 700px) { main { padding: 18px 16px 40px; } .top { padding: 0 16px; }
  .codes a { grid-template-columns: 1fr 9em; padding: 11px 2px; } .codes .title { grid-column: 1; grid-row: 2; }
  .codes .status { text-align: right; } .codes .retry { grid-row: 2; text-align: right; } }
`
