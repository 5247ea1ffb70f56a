/** How much auditors may ask for at the same time, each of them and all together. */
import { AuditRefused } from './problems.ts'

/** Of one kind of work. */
export interface WorkLimit {
  readonly perAuditor: number
  readonly inAll: number
}

/** Pages, charts, searches and proofs: a page of the browser asks for several at once. */
export const readLimit: WorkLimit = { perAuditor: 8, inAll: 32 }

/** Exports, from the request to the last byte. */
export const exportLimit: WorkLimit = { perAuditor: 2, inAll: 4 }

export interface WorkSlots {
  /**
   * @returns gives the slot back; harmless when repeated
   * @throws AuditRefused `too_much_at_once`
   */
  take(auditor: string): () => void
}

export function createWorkSlots({ perAuditor, inAll }: WorkLimit): WorkSlots {
  const running = new Map<string, number>()
  let all = 0
  return {
    take(auditor) {
      const own = running.get(auditor) ?? 0
      if (own >= perAuditor || all >= inAll) throw new AuditRefused('too_much_at_once')
      running.set(auditor, own + 1)
      all += 1
      let isTaken = true
      return () => {
        if (!isTaken) return
        isTaken = false
        all -= 1
        const left = (running.get(auditor) ?? 1) - 1
        if (left > 0) running.set(auditor, left)
        else running.delete(auditor)
      }
    },
  }
}
