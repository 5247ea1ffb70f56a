/** The load generator: builds requests, sends them, checks responses, and reports when it was the bottleneck. */
import type { SchemeClient, Shape, Target } from '../clients/client.ts'
import { Crowd } from '../clients/crowd.ts'
import { createClient, type Scheme } from '../clients/schemes.ts'
import { closedLoop, type LoopResult, openLoop, type Prepared } from '../load/loops.ts'
import { serveCalls } from './calls.ts'

/** One response in this many is opened and verified. */
const sampled = 4

const clients = new Map<string, SchemeClient>()
let crowd: Crowd | undefined

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
  readonly bytes: { readonly request: number; readonly answer: number }
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
    await checkAnswers(result)
    return figuresOf(result)
  },
  async gather({ target, sessions }: { target: Target; sessions: number }): Promise<void> {
    crowd = new Crowd(target)
    await crowd.logIn(sessions)
  },
  /** @returns how many are open */
  openSockets: async (count: number): Promise<number> => (await crowd?.openSockets(count)) ?? 0,
  countSockets: async (): Promise<number> => crowd?.countOpen() ?? 0,
  async disperse(): Promise<void> {
    crowd?.close()
    crowd = undefined
  },
}

export type GeneratorCalls = typeof generatorCalls

/** Checks every status and a sample of the contents. @throws Error for the first wrong response. */
async function checkAnswers({ answers }: LoopResult): Promise<void> {
  for (const [index, { request, answer }] of answers.entries()) {
    if (answer.status !== 200) throw new Error(`answered with ${answer.status}: ${answer.body.slice(0, 500)}`)
    if (index % sampled === 0) await request.check(answer)
  }
}

function figuresOf(result: LoopResult): RunFigures {
  const { answers, seconds, latency, lateness, utilisation, cpu, isWhole } = result
  const milliseconds = (value: number): number => value / 1_000
  const first: { readonly request: Prepared; readonly answer: { readonly bytes: number } } | undefined =
    answers[0]
  return {
    answered: answers.length,
    seconds,
    perSecond: answers.length / seconds,
    p50: milliseconds(latency.getValueAtPercentile(50)),
    p99: milliseconds(latency.getValueAtPercentile(99)),
    max: milliseconds(latency.maxValue),
    lateness: milliseconds(lateness.getValueAtPercentile(99)),
    utilisation,
    generatorCpu: cpu,
    isWhole,
    bytes: { request: first?.request.bytes.length ?? 0, answer: first?.answer.bytes ?? 0 },
  }
}

serveCalls(generatorCalls)
