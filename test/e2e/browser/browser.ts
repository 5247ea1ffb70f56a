/** A real Chromium, driven by playwright-core, and the built pages of the mini program for it. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { BrowserContext } from 'playwright-core'
import { chromium } from 'playwright-core'
import { writeClient } from '../../../miniprogram/build/bundle.ts'
import { root } from '../../../miniprogram/build/sources.ts'
import { writePages } from '../../../miniprogram/simulator/build.ts'
import { requireTool } from '../../support/required-tool.ts'

const executablePath = '/usr/bin/chromium'

requireTool(existsSync(executablePath), 'chromium and fonts-noto-cjk')

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

/** Builds the pages where they are older than their sources; test files that run at the same time take turns. */
export async function buildPages(): Promise<void> {
  const lock = join(root, 'dist', 'demo.lock')
  mkdirSync(join(root, 'dist'), { recursive: true })
  while (!tookLock(lock)) await wait(100)
  try {
    if (areFresh()) return
    await writeClient()
    await writePages()
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

function areFresh(): boolean {
  const built = join(root, 'service', 'dist', 'pages', 'demo', 'host.js')
  if (!existsSync(built)) return false
  const { mtimeMs } = statSync(built)
  return [join(root, 'miniprogram'), join(root, 'crypto')].every((folder) => newestIn(folder) <= mtimeMs)
}

function newestIn(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return Math.max(...entries.map(({ parentPath, name }) => statSync(join(parentPath, name)).mtimeMs))
}
