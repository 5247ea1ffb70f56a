/** A private cache of answers to `GET` (RFC 9111), in memory and in encrypted storage. */

import { FormatError } from 'miniseal-protocol/errors'
import { decodeJsonObject } from 'miniseal-protocol/json'
import { decodeBase64Url, encodeAscii, encodeBase64Url, encodeUtf8 } from 'miniseal-protocol/text'
import type { Answer } from './answer.ts'
import { revalidatedAnswer } from './answer.ts'
import type { Environment } from './environment.ts'
import type { PreparedRequest } from './prepared-request.ts'
import { withField } from './prepared-request.ts'
import type { Session } from './session.ts'

/** A cached answer in its stored form. */
export interface StoredEntry {
  readonly etag: string | undefined
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Uint8Array
}

interface Entry extends StoredEntry {
  /** UNIX seconds by the service's clock; needs no revalidation until then. */
  readonly freshUntil: number
  /** `undefined` for an entry from an earlier launch. */
  readonly answer: Answer | undefined
}

const MAX_ENTRIES = 64
const MAX_BYTES = 524_288

export class ResponseCache {
  private entries = new Map<string, Entry>()
  private owner: string | undefined
  /** Number of effects so far. An answer requested before an effect is stale after it. */
  effects = 0

  /** Clears the cache when the user changes. */
  useFor(user: string): void {
    if (this.owner !== user) this.clear()
    this.owner = user
  }

  clear(): void {
    this.entries.clear()
    this.owner = undefined
  }

  /** Makes all entries stale, after a request that can have had an effect. */
  noteEffect(): void {
    this.effects += 1
    for (const [name, entry] of this.entries) this.entries.set(name, { ...entry, freshUntil: 0 })
  }

  /** The answer if it is fresh. @param now UNIX seconds */
  findFresh(prepared: PreparedRequest, now: number): Answer | undefined {
    const entry = this.entries.get(cacheKey(prepared))
    if (entry?.answer === undefined || entry.freshUntil <= now) return undefined
    return revalidatedAnswer(entry, entry.answer)
  }

  /** The request with `if-none-match`, if an entity tag is cached. */
  conditional(prepared: PreparedRequest): PreparedRequest {
    const etag = this.entries.get(cacheKey(prepared))?.etag
    return etag === undefined ? prepared : withField(prepared, 'if-none-match', etag)
  }

  /**
   * Stores an answer.
   * @param effects the value of {@link effects} when the request was sent
   * @returns the answer for the caller: the cached one after a `304`
   */
  update(prepared: PreparedRequest, answer: Answer, effects: number): Answer {
    const key = cacheKey(prepared)
    const stored = this.entries.get(key)
    if (answer.status === 304 && stored?.etag !== undefined) {
      const revalidated = revalidatedAnswer(stored, answer)
      this.put(key, { ...stored, answer: revalidated, freshUntil: this.freshUntil(answer, effects) })
      return revalidated
    }
    this.entries.delete(key)
    const { status, headers, bytes } = answer
    const freshUntil = this.freshUntil(answer, effects)
    const control = headers['cache-control'] ?? ''
    const isCacheable = headers.etag !== undefined || freshUntil > 0
    if (status === 200 && isCacheable && !/\bno-store\b/i.test(control)) {
      this.put(key, { etag: headers.etag, status, headers, bytes, freshUntil, answer })
    }
    return answer
  }

  /** The entry to persist; `undefined` when it cannot be revalidated. */
  findStored(prepared: PreparedRequest): StoredEntry | undefined {
    const entry = this.entries.get(cacheKey(prepared))
    return entry?.etag === undefined ? undefined : entry
  }

  /** Adds an entry of an earlier launch, as stale. */
  restore(prepared: PreparedRequest, stored: StoredEntry): void {
    this.put(cacheKey(prepared), { ...stored, freshUntil: 0, answer: undefined })
  }

  private freshUntil({ headers, evidence }: Answer, effects: number): number {
    const control = headers['cache-control'] ?? ''
    const [, age] = /\bmax-age=(\d{1,9})\b/i.exec(control) ?? []
    if (age === undefined || effects !== this.effects || /\bno-cache\b/i.test(control)) return 0
    return evidence.answeredAt + Number(age)
  }

  /** Adds an entry and evicts the oldest ones beyond the limits. */
  private put(key: string, entry: Entry): void {
    this.entries.delete(key)
    this.entries.set(key, entry)
    let bytes = 0
    for (const [other, { bytes: content }] of [...this.entries].reverse()) {
      bytes += content.length
      if (bytes > MAX_BYTES) this.entries.delete(other)
    }
    const [oldest] = this.entries.keys()
    if (this.entries.size > MAX_ENTRIES && oldest !== undefined) this.entries.delete(oldest)
  }
}

/** Requests with the same key have the same answer. */
export function cacheKey({ message }: PreparedRequest): string {
  return JSON.stringify([message.path, message.fields.filter(([name]) => name !== 'if-none-match')])
}

const NONCE_BYTES = 24
const MAX_STORED_ENTRIES = 16
/** Encryption without a JIT takes 1 ms per KB. */
const MAX_STORED_KILOBYTES = 64
const label = encodeAscii('miniseal/1 stored answers')

/** The persistent cache: encrypted with a key derived from the device key, revalidated before each use. */
export class PersistentCache {
  private readonly environment: Environment
  private entries = new Map<string, StoredEntry>()
  private owner: string | undefined

  constructor(environment: Environment) {
    this.environment = environment
  }

  /** The entry of the session's user. An unreadable cache counts as empty. */
  async find(session: Session, key: string): Promise<StoredEntry | undefined> {
    if (this.owner !== session.info.user) {
      this.owner = session.info.user
      this.entries = await this.read(session).catch(() => new Map<string, StoredEntry>())
    }
    return this.entries.get(key)
  }

  /** Stores an entry and evicts the oldest ones beyond the limits. Ignores storage errors. */
  async put(session: Session, key: string, stored: StoredEntry | undefined): Promise<void> {
    if (this.owner !== session.info.user || stored === this.entries.get(key)) return
    this.entries.delete(key)
    if (stored !== undefined) this.entries.set(key, stored)
    const size = (): number => [...this.entries.values()].reduce((sum, { bytes }) => sum + bytes.length, 0)
    while (this.entries.size > MAX_STORED_ENTRIES || size() > MAX_STORED_KILOBYTES * 1024) {
      const [oldest = ''] = this.entries.keys()
      this.entries.delete(oldest)
    }
    await this.write(session).catch(() => {})
  }

  async clear(): Promise<void> {
    this.entries.clear()
    this.owner = undefined
    await this.environment.storage.remove(this.storageKey).catch(() => {})
  }

  private get storageKey(): string {
    return `miniseal.answers.${this.environment.authority}`
  }

  private async encryptionKey({ device }: Session): Promise<Uint8Array> {
    const primitives = await this.environment.loadPrimitives()
    return primitives.hkdf(device.secretKey.subarray(0, 32), encodeAscii(this.environment.authority), label)
  }

  private async write(session: Session): Promise<void> {
    const { environment } = this
    const entries = [...this.entries].map(([key, { etag, status, headers, bytes }]) => {
      return [key, etag, status, { ...headers }, encodeBase64Url(bytes)]
    })
    const primitives = await environment.loadPrimitives()
    await environment.random.ready()
    const nonce = environment.random.take(NONCE_BYTES)
    const plaintext = encodeUtf8(JSON.stringify({ user: session.info.user, entries }))
    const box = primitives.secretboxSeal(plaintext, nonce, await this.encryptionKey(session))
    await environment.storage.set(this.storageKey, `${encodeBase64Url(nonce)}.${encodeBase64Url(box)}`)
  }

  private async read(session: Session): Promise<Map<string, StoredEntry>> {
    const { environment } = this
    const [nonce = '', box = ''] = ((await environment.storage.get(this.storageKey)) ?? '').split('.')
    const primitives = await environment.loadPrimitives()
    const key = await this.encryptionKey(session)
    const plaintext = primitives.secretboxOpen(decodeBase64Url(box), decodeBase64Url(nonce), key)
    const { user, entries } = decodeJsonObject(plaintext ?? new Uint8Array(0))
    if (user !== session.info.user || !Array.isArray(entries)) throw new FormatError('cache of another user')
    return new Map(entries.map(entryOf))
  }
}

/** Only this client can have written the authenticated entries. */
function entryOf(value: unknown): [string, StoredEntry] {
  const [key, etag, status, headers, bytes] = value as [
    string,
    string,
    number,
    StoredEntry['headers'],
    string,
  ]
  return [key, { etag, status, headers, bytes: decodeBase64Url(bytes) }]
}
