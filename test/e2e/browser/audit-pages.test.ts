/** The auditors' pages in Chromium: what an auditor does with them, and what a service that lies cannot hide. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Cookie } from 'playwright-core'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { AuditorRole } from '../../../service/store/auditors.ts'
import { readBundle } from '../../../service/tlog/evidence/bundle.ts'
import { checkEvidence } from '../../../service/tlog/evidence/check-evidence.ts'
import { isSettled, makeTraffic, newAuditor, type Traffic } from '../../support/audit-traffic.ts'
import type { AuditorPage } from './auditor-page.ts'
import { openAuditPage, openEntry, outcomes, pinKey, signIn, tamper } from './auditor-page.ts'
import { openBrowser, useBrowser } from './browser.ts'

const everyStep = ['leaf', 'groups', 'hash', 'path', 'checkpoint', 'deviceKey', 'device', 'base']
const allPassed = Object.fromEntries(everyStep.map((name) => [name, 'passed']))

describe('the auditors’ pages', () => {
  const test = useBrowser({ locale: 'en-US', viewport: { width: 1280, height: 800 } })
  let traffic: Traffic
  let tokens: { readonly reader: string; readonly discloser: string }
  let auditor: AuditorPage

  beforeAll(async () => {
    traffic = await makeTraffic(test.service)
    tokens = {
      reader: await newAuditor(test.service, 'lin', 'reader'),
      discloser: await newAuditor(test.service, 'wei', 'discloser'),
    }
  })

  // Another auditor, who was never here.
  beforeEach(async () => {
    await test.browser.clearCookies()
    auditor = await openAuditPage(test.browser, test.service)
    await auditor.page.evaluate('localStorage.clear()')
    await auditor.page.reload()
  })

  afterEach(async () => {
    await auditor.page.close()
  })

  const kept = new Map<AuditorRole, Cookie[]>()

  /** Signed in with the token once, from then on by the cookie: tries are counted. */
  async function enter(role: AuditorRole): Promise<void> {
    const cookies = kept.get(role)
    if (cookies === undefined) {
      await signIn(auditor, tokens[role])
      kept.set(role, await test.browser.cookies())
      return
    }
    await test.browser.addCookies(cookies)
    await auditor.page.reload()
    await pinKey(auditor)
  }

  const rows = () => auditor.page.locator('table.entries tbody tr')

  it('the audit interface shows nothing with a wrong token and gives the reason', async () => {
    const { page } = auditor
    await page.locator('#token').fill(`msa_${'A'.repeat(43)}`)
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText('Invalid, expired or revoked token').waitFor()
    expect(await rows().count()).toBe(0)
  })

  it('the audit interface finds entries, shows filters as chips and keeps them in the URL', async () => {
    const { page } = auditor
    await enter('discloser')
    await page.locator('#find').fill(traffic.payer)
    await page.keyboard.press('Enter')
    await page.locator('.chip', { hasText: traffic.payer }).waitFor()
    await page.getByLabel('Result').selectOption('refused')
    await expect.poll(() => rows().count()).toBe(2)
    expect(new URL(page.url()).search).toBe(`?user=${traffic.payer}&result=refused`)
    await page.reload()
    await expect.poll(() => rows().count()).toBe(2)
    await page.getByRole('button', { name: 'Clear all' }).click()
    await expect.poll(() => rows().count()).toBeGreaterThan(5)
    await page.locator('#find').fill('code:never_heard')
    await page.keyboard.press('Enter')
    await page.getByText('No entries found.').waitFor()
    await page.locator('#find').fill('?')
    await page.keyboard.press('Enter')
    await page.getByText('Unknown format').waitFor()
    expect(auditor.errors).toEqual([])
  })

  it('the audit interface sets the time range by dragging over the chart', async () => {
    const { page } = auditor
    await enter('reader')
    const plot = page.locator('.timeline .u-over')
    const box = await plot.boundingBox()
    if (box === null) throw new Error('no chart')
    await page.mouse.move(box.x + 2, box.y + 30)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width / 2, box.y + 30, { steps: 4 })
    await page.mouse.up()
    await page.locator('.chip', { hasText: 'from' }).waitFor()
    const query = new URL(page.url()).searchParams
    expect(Date.parse(query.get('to') ?? '')).toBeGreaterThan(Date.parse(query.get('from') ?? ''))
    await expect.poll(() => page.locator('.plot canvas').count()).toBe(1)
  })

  it('the audit interface verifies an entry step by step with the pinned key', async () => {
    const { page } = auditor
    await enter('discloser')
    await openEntry(auditor, '/wallet/transfers')
    expect(await outcomes(auditor)).toEqual(allPassed)
    await page.getByText('All checks passed.').waitFor()
    const step = page.locator('[data-step="groups"]')
    await step.locator('summary').click()
    await expect.poll(() => step.locator('tbody tr').count()).toBe(5)
    await expect.poll(() => page.locator('.tree .node.sibling').count()).toBeGreaterThan(3)
    expect(auditor.errors).toEqual([])
  })

  it('the audit interface verifies without WebCrypto', async () => {
    await auditor.page.addInitScript(`Object.defineProperty(crypto, 'subtle', { value: undefined })`)
    await auditor.page.reload()
    await enter('discloser')
    await openEntry(auditor, '/wallet/transfers')
    expect(await outcomes(auditor)).toEqual(allPassed)
    await expect.poll(() => auditor.page.getByText('Verified with the bundled tweetnacl').count()).toBe(2)
  })

  it('the audit interface shows a partial verification to a reader', async () => {
    await enter('reader')
    await openEntry(auditor, '/wallet/transfers')
    expect(await outcomes(auditor)).toMatchObject({ checkpoint: 'passed', device: 'skipped' })
    await auditor.page.getByText('some were skipped').waitFor()
    await auditor.page.getByText('Not disclosed to the role reader').waitFor()
    expect(await auditor.page.getByText('Download evidence').count()).toBe(0)
  })

  it.each([
    [
      'the leaf',
      'leaf',
      (body: string) => changed(body, 'leaf', (leaf) => leaf.replace('"r":"ok"', '"r":"no"')),
    ],
    ['the result in the leaf', 'path', (body: string) => forgedLeaf(body)],
    ['what a group says', 'groups', (body: string) => body.replace(/\\"status\\":201/, '\\"status\\":202')],
    ['a hash of the path', 'path', (body: string) => swappedPath(body)],
    ['the checkpoint', 'checkpoint', (body: string) => otherCheckpoint(body)],
    ['the device’s signature', 'device', (body: string) => body.replace(/(\\"signature\\":\\")(..)/, '$1AA')],
  ] as const)('the audit interface shows that %s was changed', async (_, step, change) => {
    await enter('discloser')
    await tamper(auditor, change)
    await openEntry(auditor, '/wallet/transfers')
    await auditor.page.getByText('Verification failed.').waitFor()
    await expect.poll(async () => (await outcomes(auditor))[step]).toBe('failed')
  })

  it('the audit interface warns when the service publishes a key that is not pinned, and does not accept it', async () => {
    const { page } = auditor
    await enter('discloser')
    await page.evaluate(`localStorage.removeItem('miniseal-audit-keys')`)
    await page.reload()
    await page.getByText('No log key is pinned in this browser.').waitFor()
    await page.locator('#vkey').fill('nonsense')
    await page.getByRole('button', { name: 'Pin this key' }).last().click()
    await page.getByText('Invalid log key.').waitFor()
    await page.locator('#vkey').fill(otherKey)
    await page.getByRole('button', { name: 'Pin this key' }).last().click()
    await page.getByText('The service publishes a log key that is not pinned.').waitFor()
    await openEntry(auditor, '/wallet/transfers')
    expect(await outcomes(auditor)).toMatchObject({ path: 'passed', checkpoint: 'failed' })
  })

  it('the audit interface detects a log that is inconsistent with the one seen before', async () => {
    const { page } = auditor
    await enter('reader')
    await page.getByRole('link', { name: 'Integrity' }).click()
    await page.locator('[data-consistency="first"]').waitFor()
    await page.reload()
    await page.locator('[data-consistency="consistent"]').waitFor()
    await page.evaluate(`
      const name = Object.keys(localStorage).find((key) => key.startsWith('miniseal-audit-seen'))
      const seen = JSON.parse(localStorage.getItem(name))
      localStorage.setItem(name, JSON.stringify({ ...seen, root: btoa('x'.repeat(32)) }))`)
    await page.reload()
    await page.locator('[data-consistency="inconsistent"]').waitFor()
    // It is not forgotten by looking again.
    await page.reload()
    await page.locator('[data-consistency="inconsistent"]').waitFor()
  })

  it('the audit interface exports entries as CSV and JSON lines, and evidence that verifies offline', async () => {
    const { page } = auditor
    await enter('discloser')
    for (const [name, file] of [
      ['CSV', 'audit.csv'],
      ['JSONL', 'audit.jsonl'],
    ] as const) {
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByText(name, { exact: true }).click(),
      ])
      expect(download.suggestedFilename()).toBe(file)
      expect(readFileSync(await download.path(), 'utf8')).toContain('/wallet/transfers')
    }
    await openEntry(auditor, '/wallet/transfers')
    const link = page.getByRole('link', { name: 'Download evidence' })
    const [download] = await Promise.all([page.waitForEvent('download'), link.click()])
    const bundle = readBundle(new Uint8Array(readFileSync(await download.path())))
    const steps = checkEvidence(bundle, { vkeys: [], policy: undefined, body: undefined })
    expect(steps.filter(({ outcome }) => outcome === 'failed')).toEqual([])
  })

  it('the audit interface shows new entries while the table is live', async () => {
    const { page } = auditor
    await enter('reader')
    await page.getByLabel('Type').selectOption('login')
    await expect.poll(() => rows().count()).toBe(2)
    await page.getByLabel('Live').check()
    await makeTraffic(test.service, 1)
    await expect.poll(() => rows().count(), { timeout: 60_000 }).toBe(4)
    await page.locator('[aria-live]', { hasText: '2 new entries' }).waitFor({ state: 'attached' })
    await isSettled(test.service)
  })

  it('the audit interface uses the language of the browser until another is chosen', async () => {
    const { page } = auditor
    await enter('reader')
    await page.getByRole('link', { name: 'Requests' }).waitFor()
    await page.getByRole('button', { name: '中文' }).click()
    await page.getByRole('link', { name: '请求' }).waitFor()
    expect(await page.evaluate('document.documentElement.lang')).toBe('zh-CN')
    await page.reload()
    await page.getByRole('link', { name: '完整性' }).click()
    await page.getByRole('heading', { name: '检查点' }).waitFor()
    const chinese = await openBrowser()
    try {
      const other = await openAuditPage(chinese, test.service)
      await other.page.getByRole('heading', { name: '登录' }).waitFor()
    } finally {
      await chinese.close()
    }
  })

  it('the audit interface shows nothing after signing out', async () => {
    const { page } = auditor
    await enter('reader')
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.locator('#token').waitFor()
    await page.reload()
    await page.locator('#token').waitFor()
    expect(await rows().count()).toBe(0)
  })
})

/** A well-formed key without an account. */
const otherKey = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'

interface Served {
  leaf: string
  row: Record<string, unknown>
  proof: { path: string[]; checkpoint: string }
}

function changed(body: string, _: 'leaf', change: (leaf: string) => string): string {
  const served = JSON.parse(body) as Served
  const leaf = change(Buffer.from(served.leaf, 'base64').toString())
  return JSON.stringify({ ...served, leaf: Buffer.from(leaf).toString('base64') })
}

/** A well-formed leaf with its row and hash, which only the tree refutes. */
function forgedLeaf(body: string): string {
  const served = JSON.parse(body) as Served
  const leaf = Buffer.from(served.leaf, 'base64').toString().replace('"r":"ok"', '"r":"failed"')
  return JSON.stringify({
    ...served,
    leaf: Buffer.from(leaf).toString('base64'),
    row: { ...served.row, result: 'failed', hash: leafHash(leaf) },
  })
}

function leafHash(leaf: string): string {
  return createHash('sha256')
    .update(Buffer.from([0]))
    .update(leaf)
    .digest('base64url')
}

function swappedPath(body: string): string {
  const served = JSON.parse(body) as Served
  const [first = '', second = '', ...rest] = served.proof.path
  return JSON.stringify({ ...served, proof: { ...served.proof, path: [second, first, ...rest] } })
}

/** The root is another one, so the path fails too; what matters is that the signature does. */
function otherCheckpoint(body: string): string {
  const served = JSON.parse(body) as Served
  const [origin, size, , ...rest] = served.proof.checkpoint.split('\n')
  const checkpoint = [origin, size, Buffer.alloc(32).toString('base64'), ...rest].join('\n')
  return JSON.stringify({ ...served, proof: { ...served.proof, checkpoint } })
}
