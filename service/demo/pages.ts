/**
 * The demo pages at `/demo/`: two simulated phones with the mini program, and the WeChat functions that they need, from
 * the sandbox. Development only: every client of these routes can log in as any user.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { encodeBase64Url } from 'miniseal-protocol/text'
import { z } from 'zod'
import type { Keyring } from '../keys/keyring.ts'
import { packageRoot } from '../package-root.ts'

/** The service that the pages use. */
interface DemoService {
  readonly origin: string
  readonly keyring: Pick<Keyring, 'published'>
  /** UNIX seconds. */
  readonly now: () => number
  /** URL of the built-in sandbox, if it runs. */
  readonly sandboxUrl: string | undefined
}

interface DemoSettings extends DemoService {
  readonly appid: string
  readonly sandboxUrl: string
}

/** The part of the configuration that decides whether the pages are served. */
interface DemoConfig {
  readonly mode: 'development' | 'production'
  readonly upstreams: unknown
  readonly wechatApps: readonly { readonly appid: string }[]
}

/**
 * Adds the pages in development, when the sandbox and the demo wallet run.
 *
 * @returns `app`
 */
export function addDemoPages(app: Hono, config: DemoConfig, service: DemoService): Hono {
  const { sandboxUrl } = service
  const appid = config.wechatApps[0]?.appid
  const isDemo = config.mode === 'development' && config.upstreams === undefined
  if (!isDemo || sandboxUrl === undefined || appid === undefined) return app
  app.get('/demo', (c) => c.redirect('/demo/'))
  return app.route('/demo', demoPages({ ...service, appid, sandboxUrl }))
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
}

/** Only files of this origin; no inline code or styles. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "frame-src 'self'",
  "frame-ancestors 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

const openid = z.string().regex(/^demo-[ab]-[0-9a-f]{24}$/)
const codeShape = z.strictObject({ openid })
const soterShape = z.strictObject({ openid, challenge: z.string().min(1).max(512) })

/** The routes below `/demo`. */
function demoPages(settings: DemoSettings): Hono {
  const { origin, appid, keyring, now } = settings
  const files = readPages()
  const app = new Hono()
  app.use(bodyLimit({ maxSize: 4096 }))
  app.get('/settings', (c) => {
    c.header('cache-control', 'no-store')
    const roots = keyring.published('root', now()).map(({ publicKey }) => encodeBase64Url(publicKey))
    return c.json({ origin, appid, roots })
  })
  app.post('/wechat/code', async (c) => {
    const body = codeShape.safeParse(await jsonOf(c))
    if (!body.success) return c.json({ error: 'the body is {"openid"}' }, 400)
    return postToSandbox(settings, c, '/sandbox/codes', { appid, ...body.data })
  })
  app.post('/wechat/soter', async (c) => {
    const body = soterShape.safeParse(await jsonOf(c))
    if (!body.success) return c.json({ error: 'the body is {"openid", "challenge"}' }, 400)
    return postToSandbox(settings, c, '/sandbox/soter', body.data)
  })
  app.get('/*', (c) => {
    const canonical = canonicalUrl(c.req.url, origin)
    if (canonical !== undefined) return c.redirect(canonical)
    const path = c.req.path.slice('/demo/'.length)
    const name = path === '' ? 'index.html' : path
    const content = files.get(name)
    if (content === undefined) return c.notFound()
    return c.body(content, 200, {
      'content-type': types[extname(name)] ?? 'application/octet-stream',
      'content-security-policy': policy,
      'cache-control': 'no-cache',
    })
  })
  return app
}

/** The built files by path; empty when the pages were not built. */
function readPages(): ReadonlyMap<string, Uint8Array<ArrayBuffer>> {
  const folder = join(packageRoot(), 'dist', 'pages', 'demo')
  const read = (below: string): readonly (readonly [string, Uint8Array<ArrayBuffer>])[] => {
    return readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
      const path = below === '' ? entry.name : `${below}/${entry.name}`
      return entry.isDirectory()
        ? read(path)
        : [[path, new Uint8Array(readFileSync(join(folder, path)))] as const]
    })
  }
  try {
    return new Map(read(''))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return new Map()
    throw error
  }
}

/**
 * The URL of the same page at the service's origin, when it was requested by another loopback name: calls of the page would
 * be cross-origin there.
 */
function canonicalUrl(url: string, origin: string): string | undefined {
  const requested = new URL(url)
  const own = new URL(origin)
  const isLoopback = [requested, own].every(({ hostname }) =>
    ['127.0.0.1', 'localhost', '[::1]'].includes(hostname),
  )
  return isLoopback && requested.host !== own.host ? `${origin}${requested.pathname}` : undefined
}

async function jsonOf(c: Context): Promise<unknown> {
  return c.req.json().catch(() => undefined)
}

async function postToSandbox(
  { sandboxUrl }: DemoSettings,
  c: Context,
  path: string,
  body: object,
): Promise<Response> {
  const answer = await fetch(sandboxUrl + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  c.header('cache-control', 'no-store')
  return c.json((await answer.json()) as object, answer.ok ? 200 : 502)
}
