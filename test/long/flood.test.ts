/** Floods a service while an honest client works: the client is served and memory stays bounded. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { sandboxApp } from '../../service/wechat/apps.ts'
import { createSandbox } from '../../service/wechat/sandbox/sandbox.ts'
import type { Aim, Flood, Idler } from '../support/floods.ts'
import {
  floodFrames,
  floodGarbageSockets,
  floodHalfOpen,
  floodSlowBodies,
  floodSockets,
  headOf,
  idle,
} from '../support/floods.ts'
import type { RawSession } from '../support/raw-client.ts'
import { logIn, prepareLogin, random } from '../support/raw-client.ts'
import type { TestService } from '../support/service.ts'
import type { RunningCommand } from '../support/service-process.ts'
import { freePort, runMiniseal, serviceOutside } from '../support/service-process.ts'

/** The duration of each flood; longer in `npm run test:flood`. */
const seconds = Number(process.env.TEST_FLOOD_SECONDS ?? 30)

/** The memory by which the service may grow during all floods, in resident bytes. */
const allowedGrowth = 100 * 1_048_576

const folder = mkdtempSync(join(tmpdir(), 'miniseal-flood-'))
const sandbox = createSandbox({ apps: [sandboxApp] })
let running: RunningCommand
let service: TestService
let session: RawSession
let port: number
let quiet: number
let idlers: readonly Idler[]

beforeAll(async () => {
  const { url } = await sandbox.start(0, '127.0.0.1')
  port = await freePort()
  const environment = {
    PORT: String(port),
    MINISEAL_DATA: folder,
    MINISEAL_DATABASE: `sqlite:${join(folder, 'miniseal.db')}`,
    MINISEAL_WECHAT_API: url,
    MINISEAL_LOG_LEVEL: 'error',
    // A small heap, so that little of the resident memory is uncollected garbage.
    NODE_OPTIONS: '--max-old-space-size=160 --max-semi-space-size=4',
    MALLOC_ARENA_MAX: '2',
    // As in production, except for the windows of the one honest client and a small limit for bodies.
    MINISEAL_LIMITS:
      'handshake_ip=300/60,frame_ip=6000/60,user=6000/60,device=6000/60,in_flight=256,body_mib=16,connections=2048,connections_ip=256',
  }
  running = runMiniseal(['serve'], environment)
  const root = /root key\s+(\S+)/.exec(await running.waitFor('Ctrl+C'))?.[1] ?? ''
  service = serviceOutside(environment, url, root)
  session = await logIn(service)
  // After warm-up, the flood causes all growth.
  for (let i = 0; i < 50; i++) expect((await session.send()).status).toBe(200)
  quiet = residentMemory()
  const aim = { port, from: '127.0.0.80' }
  idlers = [idle(aim, ''), idle(aim, 'POST /seal HTTP/1.1\r\nhost:'), idle(aim, `${headOf(1_000)}not all`)]
})

afterAll(async () => {
  running.child.kill('SIGKILL')
  await sandbox.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Resident bytes of the service (proc(5), `VmRSS`). */
function residentMemory(): number {
  const status = readFileSync(`/proc/${running.child.pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024
}

const floods: readonly (readonly [string, number, (aim: Aim) => Promise<Flood>])[] = [
  [
    'handshakes that could be honest',
    66,
    async (aim) => {
      const { frame } = await prepareLogin(service)
      return floodFrames(aim, 32, () => frame)
    },
  ],
  ['garbage frames', 67, async (aim) => floodFrames(aim, 32, () => random(600))],
  [
    'large garbage frames',
    68,
    async (aim) => {
      const frame = new Uint8Array(1_048_576).fill(7).fill(1, 0, 1).fill(3, 1, 2)
      return floodFrames(aim, 16, () => frame)
    },
  ],
  ['slow bodies', 69, async (aim) => floodSlowBodies(aim, 100, 1_300_000)],
  ['half-open connections', 70, async (aim) => floodHalfOpen(aim, 400)],
  ['sockets with unfinished messages', 71, async (aim) => floodSockets(aim, 200, 60_000)],
  ['sockets with unfinished large messages', 72, async (aim) => floodSockets(aim, 200, 700_000)],
  ['sockets full of garbage', 73, async (aim) => floodGarbageSockets(aim, 50)],
]

it.each(floods)(
  'the service serves an honest client within bounded memory during a flood of %s',
  async (name, host, start) => {
    const flood = await start({ port, from: `127.0.0.${host}` })
    let most = residentMemory()
    let served = 0
    const until = performance.now() + seconds * 1_000
    try {
      while (performance.now() < until || served < 5) {
        expect((await session.send()).status).toBe(200)
        if (served % 20 === 0) expect((await (await logIn(service)).send()).status).toBe(200)
        served += 1
        most = Math.max(most, residentMemory())
        await sleep(15)
      }
    } finally {
      await flood.stop()
    }
    const mebibytes = (bytes: number): string => `${Math.round(bytes / 1_048_576)} MiB`
    console.log(
      `${name}: ${JSON.stringify(flood.counts)}, ${served} honest requests, ${mebibytes(quiet)} grew to ${mebibytes(most)}`,
    )
    expect(Object.values(flood.counts).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(10)
    expect(most - quiet).toBeLessThan(allowedGrowth)
  },
  seconds * 1_000 + 30_000,
)

it('the service closes silent connections after 10 seconds and unfinished bodies after 30, and no others', async () => {
  const lifetimes = await Promise.all(idlers.map(({ lifetime }) => lifetime))
  for (const [index, limit] of [10, 10, 30].entries()) {
    expect(lifetimes[index]).toBeGreaterThan(limit - 1)
    expect(lifetimes[index]).toBeLessThan(limit + 15)
  }
}, 60_000)
