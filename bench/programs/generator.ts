/** The load generator: builds requests, sends them, checks responses, and reports when it was the bottleneck. */
import type { SchemeClient, Shape, Target } from '../clients/client.ts'
import { OpenSessions } from '../clients/open-sessions.ts'
import { createClient, type Scheme } from '../clients/schemes.ts'
import { closedLoop, type LoopResult, openLoop, type Prepared } from '../load/loops.ts'
import { serveCalls } from './calls.ts'

/** One response in this many is opened and verified. */
const sampled = 4

const clients = new Map<string, SchemeClient>()
let openedSessions: OpenSessions | undefined

export interface RunSettings {
  /** Of {@link generatorCalls.open}. */
  readonly name: string
  readonly shape: Shape
  /** Bytes of a POST's JSON. */
  readonly content: number
  readonly ports: readonly number[]
  readonly connections: number
  /** Requests prepared before the clock starts: an open loop sends all, a closed one those for which it has time. */
  readonly count: number
  readonly load:
    | { readonly kind: 'closed'; readonly seconds: number }
    | { readonly kind: 'open'; readonly rate: number }
}

export interface RunFigures {
  readonly answered: number
  readonly seconds: number
  readonly perSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** Open loop: 99th percentile of the delay between due time and sending, in milliseconds. */
  readonly lateness: number
  /** Of the generator's event loop, 0 to 1. */
  readonly utilisation: number
  readonly generatorCpu: number
  readonly isWhole: boolean
  /** Of a request and of its response on the wire. */
  readonly bytes: { readonly request: number; readonly response: number }
}

export const generatorCalls = {
  async open({ name, scheme, target }: { name: string; scheme: Scheme; target: Target }): Promise<void> {
    clients.set(name, createClient(scheme, target))
  },
  async run({ name, shape, content, ports, connections, count, load }: RunSettings): Promise<RunFigures> {
    const client = clients.get(name)
    if (client === undefined) throw new Error(`${name} is not open`)
    const requests = await client.prepare(shape, count, content)
    globalThis.gc?.()
    const result =
      load.kind === 'closed'
        ? await closedLoop(ports, connections, load.seconds, requests)
        : await openLoop(ports, connections, load.rate, requests)
    await checkResponses(result)
    return figuresOf(result)
  },
  async openSessions({ target, sessions }: { target: Target; sessions: number }): Promise<void> {
    openedSessions = new OpenSessions(target)
    await openedSessions.logIn(sessions)
  },
  /** @returns how many are open */
  openSockets: async (count: number): Promise<number> => (await openedSessions?.openSockets(count)) ?? 0,
  countSockets: async (): Promise<number> => openedSessions?.countOpen() ?? 0,
  async closeSockets(): Promise<void> {
    openedSessions?.close()
    openedSessions = undefined
  },
}

export type GeneratorCalls = typeof generatorCalls

/** Checks every status and a sample of the contents. @throws Error for the first wrong response. */
async function checkResponses({ responses }: LoopResult): Promise<void> {
  for (const [index, { request, response }] of responses.entries()) {
    if (response.status !== 200)
      throw new Error(`answered with ${response.status}: ${response.body.slice(0, 500)}`)
    if (index % sampled === 0) await request.check(response)
  }
}

function figuresOf(result: LoopResult): RunFigures {
  const { responses, seconds, latency, lateness, utilisation, cpu, isWhole } = result
  const milliseconds = (value: number): number => value / 1_000
  const first: { readonly request: Prepared; readonly response: { readonly bytes: number } } | undefined =
    responses[0]
  return {
    answered: responses.length,
    seconds,
    perSecond: responses.length / seconds,
    p50: milliseconds(latency.getValueAtPercentile(50)),
    p99: milliseconds(latency.getValueAtPercentile(99)),
    max: milliseconds(latency.maxValue),
    lateness: milliseconds(lateness.getValueAtPercentile(99)),
    utilisation,
    generatorCpu: cpu,
    isWhole,
    bytes: { request: first?.request.bytes.length ?? 0, response: first?.response.bytes ?? 0 },
  }
}

serveCalls(generatorCalls)
