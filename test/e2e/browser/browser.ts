/** Chromium, driven by playwright-core. The tests use the pages that `npm run build` wrote. */
import { existsSync } from 'node:fs'
import type { Browser, BrowserContext } from 'playwright-core'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll } from 'vitest'
import { requireTool } from '../../support/required-tool.ts'
import type { OwnService } from '../../support/service.ts'
import { startTestService } from '../../support/service.ts'

const executablePath = '/usr/bin/chromium'

requireTool(existsSync(executablePath), 'chromium and fonts-noto-cjk')

const args = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
]

/** One Chromium for all files of a worker; it ends with the worker. */
let launched: Promise<Browser> | undefined

export interface BrowserOptions {
  readonly locale?: 'zh-CN' | 'en-US'
  readonly viewport?: { readonly width: number; readonly height: number }
}

/** A new profile, by default in the size of a phone. */
export async function openBrowser(options: BrowserOptions = {}): Promise<BrowserContext> {
  launched ??= chromium.launch({ executablePath, args })
  const context = await (await launched).newContext({
    locale: options.locale ?? 'zh-CN',
    viewport: options.viewport ?? { width: 390, height: 844 },
    permissions: ['clipboard-read', 'clipboard-write'],
  })
  context.setDefaultTimeout(60_000)
  return context
}

export interface BrowserTest {
  service: OwnService
  browser: BrowserContext
}

/** A service and a browser profile for the tests of a `describe` or a file. */
export function useBrowser(
  options: BrowserOptions = {},
  service: Parameters<typeof startTestService>[0] = {},
): BrowserTest {
  const test = {} as BrowserTest
  beforeAll(async () => {
    test.service = await startTestService(service)
    test.browser = await openBrowser(options)
  })
  afterAll(async () => {
    await test.browser?.close()
    await test.service?.close()
  })
  return test
}
