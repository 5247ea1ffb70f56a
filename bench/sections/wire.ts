/** Bytes of a request and its response on the wire, with headers, without TLS. */
import type { BenchRun } from '../bench-run.ts'
import type { Contenders } from '../contenders.ts'

export interface WireRow {
  readonly name: string
  /** Bytes of the JSON in each direction. */
  readonly content: number
  readonly request: number
  readonly response: number
}

const contents = [200, 1_024] as const

export async function measureWire(run: BenchRun, { ours, peers }: Contenders): Promise<readonly WireRow[]> {
  const rows: WireRow[] = []
  for (const content of contents) {
    for (const subject of [ours, ...peers]) {
      const round = { subject, shape: 'post', connections: 1, content, seconds: 0.1 } as const
      const { bytes } = await run.load.round(round)
      rows.push({ name: subject.name, content, ...bytes })
    }
  }
  run.log('bytes on the wire counted')
  return rows
}
