/** The rounds of a load generator, their medians, and the CPU time of the service. */
import type { Shape, Target } from './clients/client.ts'
import type { Scheme } from './clients/schemes.ts'
import { Program } from './program.ts'
import type { GeneratorCalls, RunFigures } from './programs/generator.ts'

/** A service under measurement. */
export interface Subject {
  readonly name: string
  readonly scheme: Scheme
  readonly target: Target
  /** CPU seconds of all its processes. */
  cpu(): Promise<number>
}

export interface RoundFigures extends RunFigures {
  /** Requests per CPU second of the service, all its threads. */
  readonly perCpuSecond: number
}

export interface Round {
  readonly subject: Subject
  readonly shape: Shape
  readonly connections: number
  /** Bytes of a POST's JSON. */
  readonly content: number
  readonly seconds: number
  /** Requests per second of an open loop; absent: a closed loop. */
  readonly rate?: number
}

/** Requests after which V8 has compiled the code of a service. */
const compiledAfter = 2_000

export class LoadSource {
  readonly #generator: Program<GeneratorCalls>
  /** The rate of each kind of round, to prepare enough requests for the next one. */
  readonly #reached = new Map<string, number>()
  readonly #warm = new Set<string>()
  /** Problems of the measurement itself. */
  readonly warnings = new Set<string>()

  private constructor(generator: Program<GeneratorCalls>) {
    this.#generator = generator
  }

  static async start(output: string): Promise<LoadSource> {
    return new LoadSource(await Program.start<GeneratorCalls>('generator', { output }))
  }

  async open({ name, scheme, target }: Subject): Promise<void> {
    await this.#generator.call('open', { name, scheme, target })
  }

  /**
   * One round. Before the first of a kind, a short warm-up that does not count shows how many requests a round takes.
   */
  async round(round: Round): Promise<RoundFigures> {
    const { subject, shape, connections, seconds, rate } = round
    const kind = [subject.name, shape, connections, round.content].join(' ')
    const known = this.#reached.get(kind) ?? (await this.#warmUp(round))
    const count = Math.ceil(rate === undefined ? known * seconds * 1.25 : rate * seconds)
    const figures = await this.#run(round, Math.max(count, connections))
    if (rate === undefined) this.#reached.set(kind, Math.max(known, figures.perSecond))
    this.#judge(kind, figures)
    return figures
  }

  /** Opens sessions of new users, each with one request. */
  async openSessions(target: Target, sessions: number): Promise<void> {
    await this.#generator.call('openSessions', { target, sessions })
  }

  /** @returns how many sockets are open, bound to the users of `openSessions` */
  async openSockets(count: number): Promise<number> {
    await this.#generator.call('openSockets', count)
    return await this.#generator.call('countSockets')
  }

  async closeSockets(): Promise<void> {
    await this.#generator.call('closeSockets')
  }

  async stop(): Promise<void> {
    await this.#generator.stop()
  }

  /** Longer for the first requests of a shape to a subject, while its code is compiled. */
  async #warmUp({ rate: _, ...round }: Round): Promise<number> {
    const { subject, shape, connections } = round
    const isCold = !this.#warm.has(`${subject.name} ${shape}`)
    this.#warm.add(`${subject.name} ${shape}`)
    const short = Math.min(1, round.seconds)
    const first = await this.#run({ ...round, seconds: short }, 4 * connections + 20)
    const seconds = isCold ? 5 * round.seconds : short
    const enough = isCold ? compiledAfter : Number.POSITIVE_INFINITY
    const count = Math.min(enough, Math.ceil(first.perSecond * seconds * 1.5))
    return (await this.#run({ ...round, seconds }, Math.max(count, connections))).perSecond
  }

  async #run(round: Round, count: number): Promise<RoundFigures> {
    const { subject, shape, content, connections, seconds, rate } = round
    const load =
      rate === undefined ? ({ kind: 'closed', seconds } as const) : ({ kind: 'open', rate } as const)
    const { name, target } = subject
    const before = await subject.cpu()
    const settings = { name, shape, content, ports: target.ports, connections, count, load }
    const figures = await this.#generator.call('run', settings)
    const cpu = (await subject.cpu()) - before
    return { ...figures, perCpuSecond: cpu > 0 ? figures.answered / cpu : 0 }
  }

  #judge(kind: string, { utilisation, lateness }: RunFigures): void {
    if (utilisation > 0.9) {
      const busy = Math.round(utilisation * 100)
      this.warnings.add(`the load generator was the bottleneck (busy ${busy} % of the time): ${kind}`)
    }
    if (lateness > 5) this.warnings.add(`requests were sent up to ${lateness.toFixed(0)} ms late: ${kind}`)
  }
}

/** The median. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const upper = sorted[sorted.length >> 1] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[(sorted.length >> 1) - 1] ?? Number.NaN) + upper) / 2
}
