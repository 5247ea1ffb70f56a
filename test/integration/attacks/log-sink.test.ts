/** A log sink that is stalled, full or closed: lines are dropped and counted, and the service runs. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLogSink } from '../../../service/observability/log-sink.ts'
import { createRefusalSampler } from '../../../service/observability/logger.ts'
import { compiledMain } from '../../support/compiled.ts'
import { freePort } from '../../support/service-process.ts'

const root = new URL('../../..', import.meta.url).pathname

describe('the service', () => {
  let folder: string
  let end: () => Promise<number | null>

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'miniseal-sink-'))
  })

  afterEach(async () => {
    await end()
    rmSync(folder, { recursive: true, force: true })
  })

  /** @returns its address, once it answers */
  async function start(out: 'pipe' | number, err: 'pipe' | number, read: boolean): Promise<string> {
    const port = await freePort()
    const child = spawn(process.execPath, [compiledMain, 'serve'], {
      cwd: root,
      stdio: ['ignore', out, err],
      env: {
        PATH: process.env.PATH ?? '',
        PORT: String(port),
        MINISEAL_DATA: folder,
        MINISEAL_DATABASE: `sqlite:${join(folder, 'miniseal.db')}`,
        // A line for each leaf, too.
        MINISEAL_LOG_LEVEL: 'trace',
        MINISEAL_LIMITS: 'frame_ip=1000000/60',
        // So that refusals come of many addresses, and are written.
        MINISEAL_TRUSTED_PROXIES: '1',
      },
    })
    const closed = once(child, 'close')
    if (!read) {
      child.stdout?.pause()
      child.stderr?.pause()
    }
    end = async () => {
      child.kill('SIGTERM')
      // The pipes are never read: waiting for them would never end.
      // One that does not end is a failure, and no reason to wait for it.
      const late = setTimeout(() => child.kill('SIGKILL'), 20_000)
      await once(child, 'exit')
      clearTimeout(late)
      child.stdout?.destroy()
      child.stderr?.destroy()
      await closed
      return child.exitCode
    }
    if (child.exitCode !== null) end = async () => child.exitCode
    child.once('exit', (code) => {
      end = async () => code
    })
    const url = `http://127.0.0.1:${port}`
    await expect
      .poll(
        () =>
          fetch(`${url}/healthz`).then(
            ({ status }) => status,
            () => 0,
          ),
        { timeout: 30_000 },
      )
      .toBe(200)
    if (read) {
      // The other ends of both are closed.
      child.stdout?.destroy()
      child.stderr?.destroy()
    }
    return url
  }

  /** Refusals of different addresses, one line each. */
  async function refuse(url: string, count: number): Promise<void> {
    const type = { 'content-type': 'application/vnd.miniseal' }
    for (let i = 0; i < count; i += 50) {
      const sent = Array.from({ length: Math.min(50, count - i) }, (_, j) =>
        fetch(`${url}/seal`, {
          method: 'POST',
          headers: { ...type, 'x-forwarded-for': `203.0.113.${(i + j) % 250}` },
          body: 'x',
        }).then(({ status }) => status),
      )
      expect(new Set(await Promise.all(sent))).toEqual(new Set([400]))
    }
  }

  async function lost(url: string): Promise<number> {
    const text = await (await fetch(`${url}/metrics`)).text()
    return Number(/^miniseal_log_lines_dropped_total (\d+)$/m.exec(text)?.[1])
  }

  it('the service runs and stops cleanly while its pipes are not read', async () => {
    const url = await start('pipe', 'pipe', false)
    // Four times what a pipe holds.
    await refuse(url, 1_500)
    // All of it waits in the service.
    expect(await lost(url)).toBe(0)
    expect(await end()).toBe(0)
  }, 60_000)

  it('the service runs while standard output and error are full devices and counts dropped lines', async () => {
    const full = openSync('/dev/full', 'w')
    const url = await start(full, full, false)
    closeSync(full)
    await refuse(url, 100)
    await expect.poll(() => lost(url), { timeout: 20_000 }).toBeGreaterThan(0)
    expect(await end()).toBe(0)
  }, 60_000)

  it('the service runs after its pipes are closed and counts dropped lines', async () => {
    const url = await start('pipe', 'pipe', true)
    await refuse(url, 100)
    await expect.poll(() => lost(url), { timeout: 20_000 }).toBeGreaterThan(0)
    expect(await end()).toBe(0)
  }, 60_000)
})

describe('a sink', () => {
  const line = (text: string): string => `${text}\n`

  it('a slow sink buffers 1 MiB of lines, drops later ones and reports their number', async () => {
    const taken: string[] = []
    let release = (): void => {}
    let isSlow = true
    const sink = createLogSink(async (text) => {
      if (isSlow) await new Promise<void>((resolve) => (release = resolve))
      taken.push(text)
    })
    const kilobyte = 'x'.repeat(1_023)
    for (let i = 0; i < 1_500; i++) sink.write(line(kilobyte))
    isSlow = false
    release()
    // The first line was with the sink, 1024 waited.
    await expect
      .poll(() =>
        taken
          .join('')
          .split('\n')
          .filter((text) => text === kilobyte),
      )
      .toHaveLength(1_025)
    const output = taken
      .join('')
      .split('\n')
      .filter((text) => text.includes('log.dropped'))
    expect(output.map((text) => JSON.parse(text))).toMatchObject([{ level: 40, lines: 475 }])
    expect(taken.every(({ length }) => length <= 70_000)).toBe(true)
    sink.write(line('after'))
    await expect.poll(() => taken.at(-1)).toBe('after\n')
  })

  it('a failing sink drops its batch, restarts on a new line and reports the number of lines', async () => {
    const taken: string[] = []
    let fails = true
    const sink = createLogSink(async (text) => {
      if (fails) throw new Error('ENOSPC')
      taken.push(text)
    }, 20)
    sink.write(line('lost'))
    await new Promise((resolve) => setTimeout(resolve, 5))
    fails = false
    sink.write(line('kept'))
    await expect.poll(() => taken.join('')).toMatch(/^\n\{.*"event":"log\.dropped","lines":1\}\nkept\n$/)
  })
})

it('refusals of one source are logged twenty times per minute and then counted by code', () => {
  const isWritten = createRefusalSampler(() => {})
  const written = (source: string): number =>
    Array.from({ length: 50 }, () => isWritten(source, 'replayed')).filter(Boolean).length
  expect([written('a'), written('b'), written('a')]).toEqual([20, 20, 0])
})

it('refusals of sources beyond the limit share one allowance', () => {
  const isWritten = createRefusalSampler(() => {})
  const written = Array.from({ length: 20_000 }, (_, i) => isWritten(String(i), 'replayed')).filter(Boolean)
  expect(written).toHaveLength(10_020)
})
