/** Chromium, driven by playwright-core. The tests use the pages that `npm run build` wrote. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContext } from 'playwright-core'
import { chromium } from 'playwright-core'
import { requireTool } from '../../support/required-tool.ts'

const executablePath = '/usr/bin/chromium'

requireTool(existsSync(executablePath), 'chromium and fonts-noto-cjk')

const browserArguments = [
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

/** Starts a browser with a new profile, by default in the size of a phone. */
export async function startBrowser(options: BrowserOptions = {}): Promise<TestBrowser> {
  const profile = mkdtempSync(join(tmpdir(), 'miniseal-chromium-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    args: browserArguments,
    locale: options.locale ?? 'zh-CN',
    viewport: options.viewport ?? { width: 390, height: 844 },
    permissions: ['clipboard-read', 'clipboard-write'],
  })
  context.setDefaultTimeout(60_000)
  return {
    context,
    close: async () => {
      await context.close()
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
