/** Runs the commands of the documents. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { freePort, isFree } from '../../support/service-process.ts'
import { transferMembers } from './block-checks.ts'
import type { Block } from './documents.ts'
import { readDocument, root } from './documents.ts'
import { Page } from './page-commands.ts'
import type { SimpleCommand } from './shell.ts'
import { parseShell } from './shell.ts'

/** Commands that do not end or that need a damaged log; `blocks.test.ts` checks their names and options. */
const notRun = [
  /^npx miniseal (serve|wechat-sandbox|call|backup|restore|audit witness|audit trust-database)\b/,
  /^curl .*OLD/,
]

function isRun({ words }: SimpleCommand): boolean {
  const line = words.join(' ')
  return /^(npx miniseal|curl) /.test(line) && !notRun.some((pattern) => pattern.test(line))
}

it.each([
  ['docs/guides/auditing.md', 9],
  ['docs/guides/auditing.zh-CN.md', 9],
  ['docs/guides/operations.md', 22],
  ['SECURITY.md', 10],
])('the commands of %s succeed', { timeout: 240_000 }, async (path, least) => {
  const page = await Page.open()
  try {
    const all = readDocument(path).blocks.filter(({ language }) => ['sh', ''].includes(language))
    const commands = all.flatMap(({ text }) => parseShell(text)).filter(isRun)
    expect(commands.length).toBeGreaterThanOrEqual(least)
    for (const command of commands) expect(await page.run(command), command.words.join(' ')).toBe(0)
  } finally {
    await page.close()
  }
})

/** A free port whose successor, the port of the sandbox, is free too. */
async function freePair(): Promise<number> {
  for (;;) {
    const port = await freePort()
    if (await isFree(port + 1)) return port
  }
}

/** Runs a block in a shell. */
async function inShell(
  folder: string,
  { text }: Block,
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const child = spawn('sh', ['-c', `set -e\n${text}`], {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let out = ''
  child.stdout.on('data', (chunk) => {
    out += String(chunk)
  })
  const [code] = await once(child, 'close')
  expect(code, text).toBe(0)
  return out
}

it('the commands of the README print what it shows', { timeout: 240_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'miniseal-readme-'))
  for (const name of readdirSync(root)) {
    if (!['data', '.git', 'secrets'].includes(name)) symlinkSync(join(root, name), join(folder, name))
  }
  const [install, call, line, auditor] = readDocument('README.md').blocks
  if (install === undefined || call === undefined || line === undefined || auditor === undefined)
    throw new Error('no blocks')
  expect(install.text).toContain('npm start')
  const environment = { PORT: `${await freePair()}`, MINISEAL_LOG_LEVEL: 'silent', NODE_ENV: '' }
  const service = spawn('npm', ['start'], {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  try {
    let greeting = ''
    service.stdout.on('data', (chunk) => {
      greeting += String(chunk)
    })
    await expect.poll(() => greeting, { timeout: 120_000 }).toContain('Ctrl+C')
    const answer = await inShell(folder, call, environment)
    expect(Object.keys(JSON.parse(answer) as object)).toEqual(transferMembers)
    expect(JSON.parse(answer)).toMatchObject({ payee: 'bob', amount: 1250, balance: 998_750, status: 'done' })
    expect(await inShell(folder, auditor, environment)).toMatch(/^msa_[\w-]{43}\n$/)
  } finally {
    const ended = once(service, 'exit')
    process.kill(-(service.pid ?? 0), 'SIGTERM')
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
})
