/** A real Chromium, driven by playwright-core. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContext } from 'playwright-core'
import { chromium } from 'playwright-core'

const executablePath = '/usr/bin/chromium'

/** False where these tests cannot run; on a build machine that is a failure. */
export const hasChromium = existsSync(executablePath)

if (!hasChromium) {
  const missing = `there is no ${executablePath}: apt-get install --no-install-recommends chromium fonts-noto-cjk`
  if (process.env.CI === 'true') throw new Error(missing)
  console.warn(`the tests in Chromium are skipped: ${missing}`)
}

const quiet = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
]

export interface TestBrowser {
  readonly context: BrowserContext
  close(): Promise<void>
}

export interface BrowserOptions {
  readonly locale?: 'zh-CN' | 'en-US'
  readonly viewport?: { readonly width: number; readonly height: number }
}

/** A browser that nobody has used before, by default of the size of a phone. */
export async function startBrowser(options: BrowserOptions = {}): Promise<TestBrowser> {
  const profile = mkdtempSync(join(tmpdir(), 'miniseal-chromium-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    args: quiet,
    locale: options.locale ?? 'zh-CN',
    viewport: options.viewport ?? { width: 390, height: 844 },
    permissions: ['clipboard-read', 'clipboard-write'],
  })
  context.setDefaultTimeout(15_000)
  return {
    context,
    close: async () => {
      await context.close()
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
