/** A Python client, written from docs/reference/protocol.md alone with its own cryptography, against a real service. */
import { execFile } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { requirePython } from '../../support/required-tool.ts'
import type { TestService } from '../../support/service.ts'
import { startTestService } from '../../support/service.ts'

const run = new URL('./run.py', import.meta.url).pathname
requirePython()

interface Check {
  readonly check: string
  readonly ok: boolean
  readonly error?: string
}

function python(
  args: readonly string[],
): Promise<{ code: number | null; checks: Check[]; summary: unknown }> {
  return new Promise((resolve) => {
    const child = execFile('python3', ['-B', run, ...args], (_error, stdout) => {
      const lines = stdout
        .trim()
        .split('\n')
        .filter((line) => line !== '')
        .map((line): unknown => JSON.parse(line))
      resolve({ code: child.exitCode, checks: lines.slice(0, -1) as Check[], summary: lines.at(-1) })
    })
  })
}

describe('the independent client', () => {
  let service: TestService

  beforeAll(async () => {
    service = await startTestService()
  })

  afterAll(() => service.close())

  it('the independent client passes the vectors of the RFCs with its own cryptography', {
    timeout: 120_000,
  }, async () => {
    const { checks, code, summary } = await python(['--self-test'])
    expect(checks.filter(({ ok }) => !ok)).toEqual([])
    expect({ code, summary }).toEqual({ code: 0, summary: { passed: checks.length, failed: 0 } })
    expect(checks.length).toBeGreaterThan(10)
  })

  it('the independent client logs in, transfers, is refused where the protocol requires it, and verifies every response', {
    timeout: 120_000,
  }, async () => {
    const { origin, roots, sandboxUrl, appid } = service
    const args = ['--origin', origin, '--root', roots[0] ?? '', '--sandbox', sandboxUrl, '--appid', appid]
    const { checks, code, summary } = await python(args)
    expect(checks.filter(({ ok }) => !ok)).toEqual([])
    expect({ code, summary }).toEqual({ code: 0, summary: { passed: checks.length, failed: 0 } })
    expect(checks.map(({ check }) => check)).toEqual(
      expect.arrayContaining([
        'login',
        'transfer',
        'idempotent_retry',
        'duplicate_delivered_first',
        'cancelled',
        'logout',
      ]),
    )
  })
})
