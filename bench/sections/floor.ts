/** Lower bounds: parts of the work, each measured alone. */
import { join } from 'node:path'
import { openStore } from '../../service/store/open-store.ts'
import type { BenchRun } from '../bench-run.ts'
import { transferBody } from '../clients/client.ts'
import type { CommitFloor } from '../floor/commits.ts'
import type { CryptoFloor } from '../floor/cryptography.ts'
import type { Program } from '../program.ts'
import type { FloorCalls } from '../programs/floor.ts'

export interface FloorFigures {
  readonly cryptography: readonly (CryptoFloor & { readonly content: number })[]
  /** A bare HTTP server of Node that sends a frame back. */
  readonly http: readonly {
    readonly connections: number
    readonly perSecond: number
    readonly perCpuSecond: number
  }[]
  /** The rows of an encrypted POST, with `batch` requests per commit. */
  readonly commits: readonly (CommitFloor & { readonly batch: number })[]
}

/** Bytes of a frame with a body of 200 bytes. */
const frame = 1_460

export async function measureFloor(run: BenchRun, floor: Program<FloorCalls>): Promise<FloorFigures> {
  const { connections, seconds } = run.options
  const cryptography = []
  for (const content of [200, 1_024]) {
    const figures = await floor.call('cryptography', { seconds, body: transferBody(content, 0) })
    cryptography.push({ ...figures, content })
    run.log(`floor, cryptography of ${content} bytes: ${figures.perSecond.toFixed(0)}/s`)
  }
  const commits = []
  const path = join(run.folder('floor'), 'miniseal.db')
  await (await openStore({ kind: 'sqlite', path })).close()
  for (const batch of connections) {
    const figures = await floor.call('commits', { seconds, path, batch })
    commits.push({ ...figures, batch })
    run.log(`floor, rows of ${batch} request(s) to a commit: ${figures.perSecond.toFixed(0)}/s`)
  }
  return { cryptography, http: await measureHttp(run, floor), commits }
}

async function measureHttp(run: BenchRun, floor: Program<FloorCalls>): Promise<FloorFigures['http']> {
  const { port } = await floor.call('where')
  const cpu = async (): Promise<number> => (await floor.usage()).cpu
  const subject = { name: 'echo', scheme: 'echo', target: { ports: [port], secrets: {} }, cpu } as const
  await run.load.open(subject)
  const http = []
  for (const connections of run.options.connections) {
    const round = {
      subject,
      shape: 'post',
      connections,
      content: frame,
      seconds: run.options.seconds,
    } as const
    const { perSecond, perCpuSecond } = await run.load.round(round)
    http.push({ connections, perSecond, perCpuSecond })
    run.log(`floor, bare HTTP, ${connections} connection(s): ${perSecond.toFixed(0)}/s`)
  }
  return http
}
