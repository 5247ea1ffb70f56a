/**
 * What inputs reach, by V8's own counters of blocks (`Profiler.startPreciseCoverage`): no code is changed for it.
 *
 * V8 joins neighbouring blocks that ran equally often, so blocks have no names that stay. What is kept is, for each
 * function, which characters of it belong to a block that has run.
 */
import { Session } from 'node:inspector'

interface Range {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}

interface Script {
  readonly scriptId: string
  readonly url: string
  readonly functions: readonly { readonly ranges: readonly Range[] }[]
}

/** Only our own code is followed. */
const followed = /^(?!.*\/node_modules\/).*\/(crypto|service|miniprogram)\//

/** A 1 for each character that has run, by function. */
type Run = ReadonlyMap<string, Uint8Array>

/** @param ranges the outer ones first */
function charactersOf(whole: Range, ranges: readonly Range[]): Uint8Array {
  const characters = new Uint8Array(whole.endOffset - whole.startOffset)
  for (const { startOffset, endOffset, count } of ranges)
    characters.fill(count > 0 ? 1 : 0, startOffset - whole.startOffset, endOffset - whole.startOffset)
  return characters
}

export class Coverage {
  readonly #session = new Session()
  readonly #reached = new Map<string, Uint8Array>()

  constructor() {
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** Characters of our own code that have run. */
  get size(): number {
    let size = 0
    for (const characters of this.#reached.values()) size += characters.reduce((sum, one) => sum + one, 0)
    return size
  }

  /** What ran since the last call. @returns the first place of each stretch that ran for the first time */
  take(): ReadonlySet<string> {
    const places = new Set<string>()
    for (const [name, characters] of this.#run()) {
      const known = this.#reached.get(name) ?? new Uint8Array(characters.length)
      this.#reached.set(name, known)
      for (let at = 0, wasNew = false; at < characters.length; at++) {
        const isNew = characters[at] === 1 && known[at] === 0
        if (isNew) known[at] = 1
        if (isNew && !wasNew) places.add(`${name}:${at}`)
        wasNew = isNew
      }
    }
    return places
  }

  /** Which of these places ran since the last call. */
  which(places: ReadonlySet<string>): readonly string[] {
    const run = this.#run()
    return [...places].filter((place) => {
      const colon = place.lastIndexOf(':')
      return run.get(place.slice(0, colon))?.[Number(place.slice(colon + 1))] === 1
    })
  }

  close(): void {
    this.#session.disconnect()
  }

  #run(): Run {
    const run = new Map<string, Uint8Array>()
    for (const { scriptId, url, functions } of this.#scripts()) {
      if (!followed.test(url)) continue
      for (const { ranges } of functions) {
        const [whole] = ranges
        if (whole !== undefined && whole.count > 0)
          run.set(`${scriptId}:${whole.startOffset}`, charactersOf(whole, ranges))
      }
    }
    return run
  }

  /** The inspector answers at once where it is asked from the same thread. */
  #scripts(): readonly Script[] {
    let scripts: readonly Script[] = []
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error !== null) throw error
      scripts = answer.result
    })
    return scripts
  }
}
