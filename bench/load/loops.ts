/** Closed loop: as fast as responses arrive. Open loop: at a given rate. */
import { performance } from 'node:perf_hooks'
import { build, type Histogram } from 'hdr-histogram-js'
import { Connection, type WireResponse } from './connection.ts'

/** A signed and encrypted request. */
export interface Prepared {
  readonly bytes: Buffer
  /** Opens and verifies the response, after the measured interval. @throws Error for any other response than the right one. */
  readonly check: (response: WireResponse) => Promise<void>
}

export interface LoopResult {
  readonly responses: readonly { readonly request: Prepared; readonly response: WireResponse }[]
  /** From the first request to the last response. */
  readonly seconds: number
  /** Microseconds. */
  readonly latency: Histogram
  /** Open loop: how long requests were delayed because this process was busy, in microseconds. */
  readonly lateness: Histogram
  /** Of this process's event loop, 0 to 1. */
  readonly utilisation: number
  /** Of this process, in seconds. */
  readonly cpu: number
  /** False when the prepared requests were used up before the time ended. */
  readonly isWhole: boolean
}

/** Microseconds, three digits, up to a minute. */
const newHistogram = (): Histogram =>
  build({ lowestDiscernibleValue: 1, highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 })

const microseconds = (milliseconds: number): number => Math.max(1, Math.round(milliseconds * 1_000))

/** Each connection sends its next request after the response to the previous one. */
export async function closedLoop(
  ports: readonly number[],
  connections: number,
  seconds: number,
  requests: readonly Prepared[],
): Promise<LoopResult> {
  return await measured(ports, connections, async (open, latency, _lateness, responses) => {
    let next = 0
    const until = performance.now() + seconds * 1_000
    const drive = async (connection: Connection): Promise<void> => {
      for (;;) {
        const startedAt = performance.now()
        const request = startedAt < until ? requests[next++] : undefined
        if (request === undefined) return
        const response = await connection.send(request.bytes)
        latency.recordValue(microseconds(performance.now() - startedAt))
        responses.push({ request, response })
      }
    }
    await Promise.all(open.map(drive))
    return next < requests.length
  })
}

/**
 * Requests become due at a steady rate, independent of the service. The time that one waits for a free connection is part of
 * its latency, so that a stalled service does not receive fewer requests ("coordinated omission"). Delays of this process
 * itself are recorded separately as lateness.
 */
export async function openLoop(
  ports: readonly number[],
  connections: number,
  rate: number,
  requests: readonly Prepared[],
): Promise<LoopResult> {
  return await measured(ports, connections, async (open, latency, lateness, responses) => {
    await new OpenLoop(open, requests, rate, { latency, lateness, responses }).run()
    return true
  })
}

interface Taken {
  readonly latency: Histogram
  readonly lateness: Histogram
  readonly responses: { request: Prepared; response: WireResponse }[]
}

interface Due {
  readonly request: Prepared
  /** When this process noticed that it was due. */
  readonly at: number
}

class OpenLoop {
  readonly #free: Connection[]
  readonly #waiting: Due[] = []
  readonly #requests: readonly Prepared[]
  readonly #rate: number
  readonly #taken: Taken
  #next = 0
  #finish: () => void = () => {}
  #fail: (error: unknown) => void = () => {}

  constructor(open: readonly Connection[], requests: readonly Prepared[], rate: number, taken: Taken) {
    this.#free = [...open]
    this.#requests = requests
    this.#rate = rate
    this.#taken = taken
  }

  /** Resolves with the last response. */
  async run(): Promise<void> {
    const startedAt = performance.now()
    await new Promise<void>((resolve, reject) => {
      this.#finish = resolve
      this.#fail = reject
      this.#tick(startedAt)
    })
  }

  #tick(startedAt: number): void {
    const now = performance.now()
    for (; this.#next < this.#requests.length; this.#next++) {
      const planned = startedAt + (this.#next * 1_000) / this.#rate
      const request = this.#requests[this.#next]
      if (planned > now || request === undefined) break
      this.#taken.lateness.recordValue(microseconds(now - planned))
      this.#waiting.push({ request, at: now })
    }
    this.#start()
    if (this.#next < this.#requests.length) setTimeout(() => this.#tick(startedAt), 1)
  }

  #start(): void {
    while (this.#free.length > 0 && this.#waiting.length > 0) {
      const connection = this.#free.pop()
      const due = this.#waiting.shift()
      if (connection !== undefined && due !== undefined)
        this.#send(connection, due).catch((error) => this.#fail(error))
    }
  }

  async #send(connection: Connection, { request, at }: Due): Promise<void> {
    const response = await connection.send(request.bytes)
    this.#taken.latency.recordValue(microseconds(performance.now() - at))
    this.#taken.responses.push({ request, response })
    this.#free.push(connection)
    this.#start()
    if (this.#taken.responses.length === this.#requests.length) this.#finish()
  }
}

type Drive = (
  open: readonly Connection[],
  latency: Histogram,
  lateness: Histogram,
  responses: { request: Prepared; response: WireResponse }[],
) => Promise<boolean>

async function measured(ports: readonly number[], connections: number, drive: Drive): Promise<LoopResult> {
  const open: Connection[] = []
  for (let i = 0; i < connections; i++) open.push(await Connection.open(ports[i % ports.length] ?? 0))
  const latency = newHistogram()
  const lateness = newHistogram()
  const responses: { request: Prepared; response: WireResponse }[] = []
  const before = performance.eventLoopUtilization()
  const cpuBefore = process.cpuUsage()
  const startedAt = performance.now()
  try {
    const isWhole = await drive(open, latency, lateness, responses)
    const seconds = (performance.now() - startedAt) / 1_000
    const cpu = process.cpuUsage(cpuBefore)
    const { utilization } = performance.eventLoopUtilization(before)
    const used = { utilisation: utilization, cpu: (cpu.user + cpu.system) / 1e6 }
    return { responses, seconds, latency, lateness, ...used, isWhole }
  } finally {
    for (const connection of open) connection.close()
  }
}
