/** Answers to `GET` that may be used again (RFC 9111): private to one user, few, and never older than an effect. */
import type { Answer } from './answer.ts'
import { revalidatedAnswer } from './answer.ts'
import type { PreparedRequest } from './prepared-request.ts'
import { withField } from './prepared-request.ts'

/** What is kept of an answer. */
export interface StoredEntry {
  readonly etag: string | undefined
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Uint8Array
}

interface Entry extends StoredEntry {
  /** UNIX seconds by the service's clock; until then nobody needs to be asked. */
  readonly freshUntil: number
  /** `undefined` when it is from an earlier launch. */
  readonly answer: Answer | undefined
}

const MAX_ENTRIES = 64
const MAX_BYTES = 524_288

export class Cache {
  private entries = new Map<string, Entry>()
  private owner: string | undefined
  /** Counts effects: an answer that was asked for before one is not fresh after it. */
  effects = 0

  /** Forgets everything, unless it is of `user`. */
  useFor(user: string): void {
    if (this.owner !== user) this.clear()
    this.owner = user
  }

  clear(): void {
    this.entries.clear()
    this.owner = undefined
  }

  /** After a request that can have had an effect: from now on the service is asked about everything. */
  noteEffect(): void {
    this.effects += 1
    for (const [name, entry] of this.entries) this.entries.set(name, { ...entry, freshUntil: 0 })
  }

  /** The answer, where nobody needs to be asked. @param now UNIX seconds */
  findFresh(prepared: PreparedRequest, now: number): Answer | undefined {
    const entry = this.entries.get(nameOf(prepared))
    if (entry?.answer === undefined || entry.freshUntil <= now) return undefined
    return revalidatedAnswer(entry, entry.answer)
  }

  /** The request, asking only for what is new. */
  conditional(prepared: PreparedRequest): PreparedRequest {
    const etag = this.entries.get(nameOf(prepared))?.etag
    return etag === undefined ? prepared : withField(prepared, 'if-none-match', etag)
  }

  /**
   * Takes in an answer, and gives what the caller is to see: the kept one for a `304`.
   * @param effects the count when it was asked for
   */
  take(prepared: PreparedRequest, answer: Answer, effects: number): Answer {
    const name = nameOf(prepared)
    const stored = this.entries.get(name)
    if (answer.status === 304 && stored?.etag !== undefined) {
      const again = revalidatedAnswer(stored, answer)
      this.put(name, { ...stored, answer: again, freshUntil: this.freshUntil(answer, effects) })
      return again
    }
    this.entries.delete(name)
    const { status, headers, bytes } = answer
    const freshUntil = this.freshUntil(answer, effects)
    const control = headers['cache-control'] ?? ''
    const isUsable = headers.etag !== undefined || freshUntil > 0
    if (status === 200 && isUsable && !/\bno-store\b/i.test(control)) {
      this.put(name, { etag: headers.etag, status, headers, bytes, freshUntil, answer })
    }
    return answer
  }

  /** What an earlier launch may use; `undefined` when it could not ask whether it is still right. */
  findStored(prepared: PreparedRequest): StoredEntry | undefined {
    const entry = this.entries.get(nameOf(prepared))
    return entry?.etag === undefined ? undefined : entry
  }

  /** Takes over what an earlier launch kept. */
  restore(prepared: PreparedRequest, stored: StoredEntry): void {
    this.put(nameOf(prepared), { ...stored, freshUntil: 0, answer: undefined })
  }

  private freshUntil({ headers, evidence }: Answer, effects: number): number {
    const control = headers['cache-control'] ?? ''
    const [, age] = /\bmax-age=(\d{1,9})\b/i.exec(control) ?? []
    if (age === undefined || effects !== this.effects || /\bno-cache\b/i.test(control)) return 0
    return evidence.answeredAt + Number(age)
  }

  /** The oldest give way. */
  private put(name: string, entry: Entry): void {
    this.entries.delete(name)
    this.entries.set(name, entry)
    let bytes = 0
    for (const [other, { bytes: content }] of [...this.entries].reverse()) {
      bytes += content.length
      if (bytes > MAX_BYTES) this.entries.delete(other)
    }
    const [oldest] = this.entries.keys()
    if (this.entries.size > MAX_ENTRIES && oldest !== undefined) this.entries.delete(oldest)
  }
}

/** Two requests with one name have one answer. */
export function nameOf({ message }: PreparedRequest): string {
  return JSON.stringify([message.path, message.fields.filter(([name]) => name !== 'if-none-match')])
}
