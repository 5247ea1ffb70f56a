/** The incident instructions of `SECURITY.md`: each command is run as written, beside an open session. */
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newAuditor } from '../../support/audit-traffic.ts'
import { runWords } from '../../support/command.ts'
import { fetchConfiguration, logIn, RawSession } from '../../support/raw-client.ts'
import { type OwnService, startTestService } from '../../support/service.ts'
import { freePort } from '../../support/service-process.ts'
import { stolenKey } from '../../support/stolen.ts'
import { temporaryFolder } from '../witness/tested-witness.ts'

const page = readFileSync(new URL('../../../SECURITY.md', import.meta.url), 'utf8')
const chapter = page.slice(page.indexOf('## Incident response'), page.indexOf('## Out of scope'))

/** Title of a section, and its blocks of commands. */
const sections = chapter
  .split('\n### ')
  .slice(1)
  .map((text) => ({
    title: text.split('\n')[0] ?? '',
    text,
    blocks: [...text.matchAll(/```\n([^`]*)```/g)].map(([, block = '']) => block.trim().split('\n')),
  }))

/** The effect of each block on an open session. */
const afterwards: Readonly<Record<string, readonly ('continues' | 'ends')[]>> = {
  'Agreement key': ['continues'],
  'Signing key': ['continues'],
  'Token key': ['ends'],
  'Root key': ['continues', 'continues'],
  'Log key': ['continues', 'continues'],
  'Lookup key': ['continues'],
  'Master key, with any copy of the database': ['continues'],
  'Database, without the master key': ['ends', 'continues'],
  'A phone, a device key, keys of a session': ['ends', 'ends'],
  'An auditor’s token': ['continues', 'continues'],
  'A push key, a witness’s key, an AppSecret, the metrics’ token': [],
  'The service process': [],
}
const titleOf = (title: string): string => title.replaceAll("'", '’')

const folder = temporaryFolder()
const kept = join(folder.path, 'kept.checkpoint')
const masterKey = (): string => randomBytes(32).toString('base64')
let environment: Record<string, string>
let service: OwnService

beforeAll(async () => {
  environment = {
    PORT: String(await freePort()),
    MINISEAL_DATA: join(folder.path, 'data'),
    MINISEAL_DATABASE: `sqlite:${join(folder.path, 'data', 'miniseal.db')}`,
    MINISEAL_MASTER_KEY: masterKey(),
  }
  service = await startTestService({ environment })
  environment.MINISEAL_ORIGIN = service.origin
  const response = await fetch(`${service.url}/log/checkpoint`, { headers: { connection: 'close' } })
  writeFileSync(kept, await response.text())
})

afterAll(async () => {
  await service.close()
  folder.remove()
})

/** Stops the service and starts it again: what the commands did holds at once, and not within 15 seconds. */
async function restart(): Promise<void> {
  await service.stop()
  service = await startTestService({ environment })
}

/** Runs one line of the page. @param words what its words in capitals stand for */
async function run(line: string, words: Readonly<Record<string, string>>): Promise<void> {
  const [npx, miniseal, ...rest] = line
    .split(' ')
    .map((word) => (Object.hasOwn(words, word) ? (words[word] ?? '') : word))
  expect([npx, miniseal], line).toEqual(['npx', 'miniseal'])
  expect((await runWords(rest, environment)).code, line).toBe(0)
}

type Kind = 'agreement' | 'signing' | 'token' | 'log' | 'root'

/** The key of each line that revokes one, before the lines are run. */
async function oldKeyOf(lines: readonly string[]): Promise<string> {
  const [, kind] =
    lines.map((line) => / revoke (\S+) OLD_KEY/.exec(line)).find((found) => found !== null) ?? []
  return kind === undefined ? '' : (await stolenKey(service, kind as Kind)).kid
}

/** The same session of a client that fetches the service keys again. */
async function again(session: RawSession): Promise<number> {
  const configuration = await fetchConfiguration(service)
  return (await new RawSession({ ...session, service, configuration }).send()).status
}

it('SECURITY.md has a section for each leak and states in each what happens to sessions', () => {
  expect(sections.map(({ title }) => titleOf(title))).toEqual(Object.keys(afterwards))
  for (const { title, text, blocks } of sections) {
    expect(text, title).toMatch(/sessions?\b/i)
    expect(afterwards[titleOf(title)], title).toHaveLength(blocks.length)
  }
})

describe.each(sections.filter(({ blocks }) => blocks.length > 0))('$title', ({ title, blocks }) => {
  it.each(blocks.map((lines, i) => [lines.join('; '), lines, afterwards[titleOf(title)]?.[i]] as const))(
    '%s',
    async (_, lines, outcome) => {
      const session = await logIn(service)
      if (lines.some((line) => line.includes('auditor revoke'))) await newAuditor(service, 'lin', 'reader')
      const isMaster = lines.some((line) => line.endsWith('rotate master'))
      if (isMaster) environment.MINISEAL_MASTER_KEY = `${masterKey()},${environment.MINISEAL_MASTER_KEY}`
      // The page says: if a next root key is pinned already.
      if (lines[0]?.includes('revoke root')) await run('npx miniseal keys rotate root', {})
      const old = await oldKeyOf(lines)
      const words = {
        OLD_KEY: old,
        USER: session.user,
        DEVICE: session.device.signer.keyid,
        NAME: 'lin',
        KEPT: kept,
        'reads.jsonl': join(folder.path, 'reads.jsonl'),
      }
      for (const line of lines) await run(line, words)
      if (isMaster) environment.MINISEAL_MASTER_KEY = environment.MINISEAL_MASTER_KEY?.split(',')[0] ?? ''
      await restart()
      expect(await again(session)).toBe(outcome === 'continues' ? 200 : 401)
      expect((await (await logIn(service)).send()).status).toBe(200)
      if (old !== '') {
        const { out } = await runWords(['keys', 'list'], environment)
        expect(out).not.toContain(old)
      }
    },
  )
})
