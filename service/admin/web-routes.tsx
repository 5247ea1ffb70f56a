/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** `/audit`: the HTML shell, script and style of the audit pages. The pages load data from the API. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Context, Hono } from 'hono'
import { packageRoot } from '../package-root.ts'
import { type Language, languageOf } from '../problems/catalogue.ts'
import { auditApi } from './api/api.ts'
import type { AuditDependencies } from './api/context.ts'

/** No other origins, no inline code, no framing. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'self'",
].join('; ')

const files = { 'app.js': 'text/javascript; charset=utf-8', 'app.css': 'text/css; charset=utf-8' } as const

type FileName = keyof typeof files

/** Client-side routes. */
const pagePaths = ['/', '/overview', '/integrity', '/entries/:id'] as const

/** The routes below `/audit`. */
export function auditRoutes(parts: AuditDependencies): Hono {
  const app = new Hono()
  const built = readBuilt()
  app.use(async (c, next) => {
    await next()
    c.header('content-security-policy', policy)
    c.header('referrer-policy', 'no-referrer')
  })
  app.route('/api', auditApi(parts))
  app.get('/assets/:name', async (c) => {
    const name = c.req.param('name')
    const file = isFile(name) ? (await built())?.get(name) : undefined
    if (file === undefined || !isFile(name)) return c.notFound()

    return c.body(file.bytes, 200, {
      'content-type': files[name],
      // The URL contains a hash of the content.
      'cache-control': 'public, max-age=31536000, immutable',
    })
  })
  for (const path of pagePaths) app.get(path, async (c) => page(c, await built()))
  return app
}

interface BuiltFile {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly digest: string
}

type BuiltFiles = ReadonlyMap<FileName, BuiltFile>

function isFile(name: string): name is FileName {
  return Object.hasOwn(files, name)
}

/** Reads the build output once; `undefined` until it exists. */
function readBuilt(): () => Promise<BuiltFiles | undefined> {
  const folder = join(packageRoot(), 'dist', 'pages', 'audit')
  let cached: BuiltFiles | undefined
  return async () => {
    if (cached !== undefined) return cached
    try {
      const read = (Object.keys(files) as FileName[]).map(async (name): Promise<[FileName, BuiltFile]> => {
        const bytes = new Uint8Array(await readFile(join(folder, name)))
        return [name, { bytes, digest: createHash('sha256').update(bytes).digest('hex').slice(0, 16) }]
      })
      cached = new Map(await Promise.all(read))
    } catch {
      return undefined
    }
    return cached
  }
}

function page(c: Context, built: BuiltFiles | undefined): Response | Promise<Response> {
  if (built === undefined) return c.text('audit pages not built; run npm run build\n', 503)
  const language = languageOf(c.req.header('accept-language'))
  c.header('vary', 'accept-language')
  c.header('cache-control', 'no-cache')
  return c.html(`<!doctype html>${Shell({ language, built })}`)
}

function Shell({ language, built }: { readonly language: Language; readonly built: BuiltFiles }) {
  // The digest in the URL makes the files immutable.
  const url = (name: FileName): string => `/audit/assets/${name}?v=${built.get(name)?.digest ?? ''}`
  const isChinese = language === 'zh-CN'
  return (
    <html lang={language}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        <title>{isChinese ? '审计 · Miniseal' : 'Audit · Miniseal'}</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href={url('app.css')} />
        <script type="module" src={url('app.js')} />
      </head>
      <body>
        <div id="app">
          <p class="starting">{isChinese ? '正在加载…' : 'Loading…'}</p>
        </div>
        <noscript>
          {isChinese
            ? '审计页面在浏览器中验证日志，需要启用 JavaScript。'
            : 'The audit pages verify the log in the browser and require JavaScript.'}
        </noscript>
      </body>
    </html>
  )
}
