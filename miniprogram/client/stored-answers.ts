/** Answers that outlive the mini program, sealed with a key of this device and asked about before each use. */
import { FormatError } from 'miniseal-protocol/errors'
import { decodeBase64Url, encodeAscii, encodeBase64Url, encodeUtf8 } from 'miniseal-protocol/text'
import type { StoredEntry } from './cache.ts'
import type { Environment } from './environment.ts'
import { jsonObject, parseJson } from './json.ts'
import type { Session } from './session.ts'

const NONCE_BYTES = 24
const MAX_ENTRIES = 16
/** Sealing takes a phone without a JIT 1 ms for each of these. */
const MAX_KILOBYTES = 64
const label = encodeAscii('miniseal/1 stored answers')

export class StoredAnswers {
  private readonly environment: Environment
  private cache = new Map<string, StoredEntry>()
  private owner: string | undefined

  constructor(environment: Environment) {
    this.environment = environment
  }

  /** What is stored for the user of `session` under `name`. Unreadable is as good as absent. */
  async find(session: Session, name: string): Promise<StoredEntry | undefined> {
    if (this.owner !== session.info.user) {
      this.owner = session.info.user
      this.cache = await this.read(session).catch(() => new Map<string, StoredEntry>())
    }
    return this.cache.get(name)
  }

  /** Stores; the oldest give way. A phone that has no room is no reason for a request to fail. */
  async put(session: Session, name: string, stored: StoredEntry | undefined): Promise<void> {
    if (this.owner !== session.info.user || stored === this.cache.get(name)) return
    this.cache.delete(name)
    if (stored !== undefined) this.cache.set(name, stored)
    const size = (): number => [...this.cache.values()].reduce((sum, { bytes }) => sum + bytes.length, 0)
    while (this.cache.size > MAX_ENTRIES || size() > MAX_KILOBYTES * 1024) {
      const [oldest = ''] = this.cache.keys()
      this.cache.delete(oldest)
    }
    await this.write(session).catch(() => {})
  }

  async clear(): Promise<void> {
    this.cache.clear()
    this.owner = undefined
    await this.environment.storage.remove(this.storageKey).catch(() => {})
  }

  private get storageKey(): string {
    return `miniseal.answers.${this.environment.authority}`
  }

  private async keyOf({ device }: Session): Promise<Uint8Array> {
    const primitives = await this.environment.loadPrimitives()
    return primitives.hkdf(device.secretKey.subarray(0, 32), encodeAscii(this.environment.authority), label)
  }

  private async write(session: Session): Promise<void> {
    const { environment } = this
    const entries = [...this.cache].map(([name, { etag, status, headers, bytes }]) => {
      return [name, etag, status, { ...headers }, encodeBase64Url(bytes)]
    })
    const primitives = await environment.loadPrimitives()
    await environment.random.ready()
    const nonce = environment.random.take(NONCE_BYTES)
    const plaintext = encodeUtf8(JSON.stringify({ user: session.info.user, entries }))
    const box = primitives.secretboxSeal(plaintext, nonce, await this.keyOf(session))
    await environment.storage.set(this.storageKey, `${encodeBase64Url(nonce)}.${encodeBase64Url(box)}`)
  }

  private async read(session: Session): Promise<Map<string, StoredEntry>> {
    const { environment } = this
    const [nonce = '', box = ''] = ((await environment.storage.get(this.storageKey)) ?? '').split('.')
    const primitives = await environment.loadPrimitives()
    const key = await this.keyOf(session)
    const plaintext = primitives.secretboxOpen(decodeBase64Url(box), decodeBase64Url(nonce), key)
    const { user, entries } = jsonObject(parseJson(plaintext ?? new Uint8Array(0)))
    if (user !== session.info.user || !Array.isArray(entries)) throw new FormatError('of somebody else')
    return new Map(entries.map(entryOf))
  }
}

/** What was sealed on this device is what this device wrote, or what an older version of it did. */
function entryOf(value: unknown): [string, StoredEntry] {
  const [name, etag, status, headers, bytes] = value as [
    string,
    string,
    number,
    StoredEntry['headers'],
    string,
  ]
  return [name, { etag, status, headers, bytes: decodeBase64Url(bytes) }]
}
