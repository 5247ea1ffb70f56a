/**
 * `npm run bench -- attacks [--only NAME,…] [--seconds N] [--entries N]`: latency of another user's payments and logins
 * while a service is attacked. The exit code is 1 when a figure exceeds its bound.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { parseArgs } from 'node:util'
import { newAuditor } from '../test/support/audit-traffic.ts'
import { logIn } from '../test/support/raw-client.ts'
import { logOrigin, requests, startLog } from '../test/support/written-log.ts'
import type { Order } from './attacks/attacker.ts'
import { type AttackedService, type ServiceOptions, startAttacked } from './attacks/service.ts'
import { comeFrom, type Figures, type Measured, measure } from './attacks/victims.ts'

/** The 99th percentile in milliseconds, and bytes. */
const bounds = { p99: 1_000, growth: 150 * 1_048_576 }

interface Load {
  readonly title: string
  /** See `attacks/attacker.ts`. */
  readonly attack: string
  readonly options?: ServiceOptions
  /** Written before the service starts. */
  readonly hasEntries?: boolean
  /** Whether a response to the payment is acceptable; by default only a success. */
  readonly isGood?: (status: number, code: unknown) => boolean
  /** False where no service could log a user in: reported without a verdict. */
  readonly isLoginJudged?: boolean
  readonly begin?: (attacked: AttackedService) => Promise<void> | void
}

const isPaid = (status: number): boolean => status === 201
const isRefusedCleanly = (status: number, code: unknown): boolean => status === 503 && code === 'unavailable'

const jsonShapes = ['deep', 'wide', 'strings', 'numbers', 'escapes', 'duplicates']
const chatty = { MINISEAL_LOG_LEVEL: 'trace' }

const loads: readonly Load[] = [
  { title: 'nothing', attack: 'none' },
  { title: '300 hung requests of one account', attack: 'hung' },
  {
    title: 'WeChat hangs',
    attack: 'wechat',
    isLoginJudged: false,
    begin: (attacked) => attacked.hangWechat(true),
  },
  { title: '10 connections x 60 KB of pipelined GETs', attack: 'pipelined' },
  ...['json', 'gzip'].flatMap((form) =>
    jsonShapes.map((shape) => ({ title: `logins, ${form}: ${shape}`, attack: `${form} ${shape}` })),
  ),
  { title: 'exports and searches of all entries', attack: 'export', hasEntries: true },
  {
    title: 'a full disk (refused cleanly)',
    attack: 'none',
    isGood: isRefusedCleanly,
    isLoginJudged: false,
    begin: (attacked) => attacked.limitFiles(4_096),
  },
  {
    title: 'log lines into a pipe without a reader',
    attack: 'lines',
    options: { sink: 'unread', environment: chatty },
  },
  { title: 'log lines into /dev/full', attack: 'lines', options: { sink: 'full', environment: chatty } },
]

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seconds: { type: 'string', default: '8' },
    entries: { type: 'string', default: '150000' },
  },
  strict: true,
})
const seconds = Number(values.seconds)
const entries = Number(values.entries)

comeFrom('127.0.0.2')
const rows: string[] = []
let isOver = false
const names = values.only.split(',')
for (const load of loads.filter(({ title }) => names.some((name) => title.includes(name)))) {
  progress(`${load.title} …`)
  const figures = await underLoad(load).catch((error: unknown) => {
    progress(`  ${error instanceof Error ? error.message : String(error)}`)
    return undefined
  })
  const verdict = figures === undefined ? 'over' : verdictOf(load, figures)
  isOver ||= verdict !== 'ok'
  const row =
    figures === undefined ? `| ${load.title} | failed | | | ${verdict} |` : rowOf(load, figures, verdict)
  rows.push(row)
  progress(row)
}
process.stdout.write(
  `\nbounds: p99 ≤ ${bounds.p99} ms, growth < ${bounds.growth / 1_048_576} MiB, no failures\n\n` +
    `| load | payment: p50 / p99 / max ms, count, failed | login: p50 / p99 / max ms, count, failed | growth, MiB | |\n` +
    `| --- | --- | --- | --- | --- |\n${rows.join('\n')}\n`,
)
process.exit(isOver ? 1 : 0)

async function underLoad(load: Load): Promise<Figures> {
  const written = load.hasEntries === true ? await writeEntries() : undefined
  const environment = { ...written?.environment, ...load.options?.environment }
  const attacked = await startAttacked({ ...load.options, environment })
  let attacker: ChildProcess | undefined
  try {
    const { service, sandboxUrl, root } = attacked
    const victim = await logIn(service)
    await measure(attacked, victim, 2, isPaid) // warm
    const order: Order = {
      ...{ environment: attacked.environment, sandboxUrl, root },
      ...(written === undefined ? {} : { token: await newAuditor(service, 'wei', 'discloser') }),
    }
    attacker = await startAttacker(load.attack, order)
    await load.begin?.(attacked)
    return await measure(attacked, victim, seconds, load.isGood ?? isPaid)
  } finally {
    attacker?.kill('SIGKILL')
    await attacked.close()
    await written?.close()
  }
}

async function writeEntries() {
  const log = await startLog(async () => {
    const { createSqlite } = await import('../test/integration/store/engines.ts')
    return await createSqlite()
  })
  const step = 2_000
  for (let done = 0; done < entries; done += step) {
    await log.append(requests(Math.min(step, entries - done), done))
    if (done % 20_000 === 0) progress(`  ${done} of ${entries} entries written`)
  }
  await log.sign()
  await log.store.close()
  return {
    environment: { ...log.environment, MINISEAL_LOG_ORIGIN: logOrigin },
    close: async () => await log.close().catch(() => undefined),
  }
}

async function startAttacker(name: string, order: Order): Promise<ChildProcess> {
  const program = new URL('attacks/attacker.ts', import.meta.url).pathname
  const child = spawn(
    process.execPath,
    ['--conditions=source', '--import', 'tsx', program, name, JSON.stringify(order)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once('data', () => resolve())
    child.once('close', () => reject(new Error('the attacker did not start')))
  })
  return child
}

function verdictOf({ isLoginJudged = true }: Load, { payment, login, growth }: Figures): 'ok' | 'over' {
  const isGood = (measured: Measured): boolean => measured.failed === 0 && measured.p99 <= bounds.p99
  return isGood(payment) && (!isLoginJudged || isGood(login)) && growth < bounds.growth ? 'ok' : 'over'
}

function rowOf(
  { title, isLoginJudged = true }: Load,
  { payment, login, growth }: Figures,
  verdict: string,
): string {
  const mib = (growth / 1_048_576).toFixed(0)
  return `| ${title} | ${textOf(payment)} | ${textOf(login)}${isLoginJudged ? '' : ' (no verdict)'} | ${mib} | ${verdict} |`
}

function textOf({ p50, p99, max, count, failed }: Measured): string {
  return `${[p50, p99, max].map((time) => time.toFixed(0)).join(' / ')}, ${count}, ${failed}`
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`)
}
