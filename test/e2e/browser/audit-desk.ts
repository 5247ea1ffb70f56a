/** An auditor at a desk: a service with requests in its log, and a browser that is signed in to its pages. */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { writeAuditPages } from '../../../service/admin/web/build.ts'
import { packageRoot } from '../../../service/package-root.ts'
import type { TestService } from '../../support/service.ts'
import type { TestBrowser } from './browser.ts'

/** Builds the pages where they are older than their sources; test files that run at the same time take turns. */
export async function buildAuditPages(): Promise<void> {
  const folder = join(packageRoot(), 'dist')
  const lock = join(folder, 'audit.lock')
  mkdirSync(folder, { recursive: true })
  while (!tookLock(lock)) await wait(100)
  try {
    if (!isFresh(join(folder, 'pages', 'audit', 'app.js'))) await writeAuditPages()
  } finally {
    rmSync(lock, { recursive: true })
  }
}

/** A lock of a run that was killed is not waited for. */
function tookLock(lock: string): boolean {
  try {
    mkdirSync(lock)
    return true
  } catch {
    if (existsSync(lock) && Date.now() - statSync(lock).mtimeMs > 60_000) rmSync(lock, { recursive: true })
    return false
  }
}

function isFresh(built: string): boolean {
  if (!existsSync(built)) return false
  const { mtimeMs } = statSync(built)
  return ['admin/web', '../crypto'].every((folder) => newestIn(join(packageRoot(), folder)) <= mtimeMs)
}

function newestIn(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return Math.max(...entries.map(({ parentPath, name }) => statSync(join(parentPath, name)).mtimeMs))
}

export interface Desk {
  readonly page: Page
  /** What a page must not do: exceptions, errors on the console (violations of the policy among them), foreign hosts. */
  readonly errors: string[]
}

/** A page that nobody is signed in to. */
export async function openDesk({ context }: TestBrowser, service: TestService, path = ''): Promise<Desk> {
  const page = await context.newPage()
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(error.message))
  page.on('console', (message) => {
    // That nobody is signed in yet is an answer.
    if (message.type() === 'error' && !message.text().includes('401')) errors.push(message.text())
  })
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url())
    if (origin !== service.origin && protocol !== 'data:') errors.push(`asks ${request.url()}`)
  })
  await page.goto(`${service.origin}/audit${path}`)
  return { page, errors }
}

/** Signs in, and pins the key that the service names unless it is pinned. */
export async function signIn(desk: Desk, token: string): Promise<void> {
  await desk.page.locator('#token').fill(token)
  await desk.page.locator('.sign-in button').click()
  await pinKey(desk)
}

/** Pins the key that the service names, unless it is pinned. */
export async function pinKey({ page }: Desk): Promise<void> {
  await page.locator('header nav').waitFor()
  const pin = page.locator('.notice .keys button')
  if ((await pin.count()) > 0) await pin.first().click()
}

/** Opens the newest entry of a path, and waits until its verification is over. */
export async function openEntry({ page }: Desk, path: string): Promise<void> {
  await page.goto(`${new URL(page.url()).origin}/audit?path=${encodeURIComponent(path)}&result=ok`)
  await page.locator('a.row-link').first().click()
  await page.locator('.verdict.good, .verdict.bad, .verdict.skipped').waitFor()
}

/** What came of each step. */
export async function outcomes({ page }: Desk): Promise<Readonly<Record<string, string | undefined>>> {
  const steps = await page
    .locator('.step')
    .evaluateAll((items) =>
      items.map((item) => [item.getAttribute('data-step'), item.getAttribute('data-outcome')]),
    )
  return Object.fromEntries(steps)
}

/** Serves entries as somebody between the log and the auditor would like them to be. */
export async function tamper({ page }: Desk, change: (body: string) => string): Promise<void> {
  await page.route(/\/audit\/api\/entries\/[^/]+$/, async (route) => {
    const response = await route.fetch()
    const body = await response.text()
    const other = change(body)
    if (other === body) throw new Error('nothing was changed')
    await route.fulfill({ response, body: other })
  })
}
