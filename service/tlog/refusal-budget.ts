/** Which refusals get a leaf of their own: so many a minute, from each source and from all; the others are counted. */
import type { ProtocolCode } from 'miniseal-protocol/errors'
import { createWindow } from '../limits/rate-limits.ts'

/** Refusals of one code that got no leaf of their own. */
export interface CountedRefusals {
  readonly code: ProtocolCode
  readonly n: number
  /** Milliseconds since 1970. */
  readonly from: number
  readonly to: number
}

export interface RefusalBudget {
  /** Whether a refusal of this source is logged singly. Where it is not, it is counted. */
  take(source: string, code: ProtocolCode, at: number): Promise<boolean>
  /** What was counted, by code: whoever takes it writes it, or gives it back. */
  takeCounted(): readonly CountedRefusals[]
  giveBack(counted: readonly CountedRefusals[]): void
}

/** How many a minute, by default: a person who tries, and not a machine that floods. */
const perSource = { count: 30, seconds: 60 }
/** Sources are attacker-controlled addresses; whoever has many of them has this much between them. */
const inAll = { count: 1_200, seconds: 60 }

/** Memory is bounded by the list of codes and by what {@link createWindow} remembers. */
export function createRefusalBudget(): RefusalBudget {
  const sources = createWindow(perSource)
  const all = createWindow(inAll)
  const counts = new Map<ProtocolCode, CountedRefusals>()
  const add = (more: CountedRefusals): void => {
    const known = counts.get(more.code) ?? more
    counts.set(more.code, {
      code: more.code,
      n: (known === more ? 0 : known.n) + more.n,
      from: Math.min(known.from, more.from),
      to: Math.max(known.to, more.to),
    })
  }
  return {
    async take(source, code, at) {
      // In this order: who is over their own limit takes nothing from the others.
      const isWithin = (await sources.consume(source)).isWithin && (await all.consume('all')).isWithin
      if (!isWithin) add({ code, n: 1, from: at, to: at })
      return isWithin
    },
    takeCounted() {
      const taken = [...counts.values()]
      counts.clear()
      return taken
    },
    giveBack(counted) {
      for (const refusals of counted) add(refusals)
    },
  }
}
