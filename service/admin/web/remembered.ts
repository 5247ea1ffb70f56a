/** What this browser remembers between visits: language, the log's keys that were compared, how far the log was seen. */
import { parseVerifierKey, type VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { bundled } from './digests.ts'

/** A key of a log that somebody has compared. */
export interface PinnedKey {
  readonly vkey: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** A head of a log that was verified here. */
export interface StoredTreeHead {
  readonly size: number
  /** base64 */
  readonly root: string
  /** Milliseconds since 1970. */
  readonly at: number
}

const keysName = 'miniseal-audit-keys'
const languageName = 'miniseal-audit-language'

function read<T>(name: string): T | undefined {
  try {
    return (JSON.parse(localStorage.getItem(name) ?? 'null') ?? undefined) as T | undefined
  } catch {
    return undefined
  }
}

function write(name: string, value: unknown): void {
  localStorage.setItem(name, JSON.stringify(value))
}

export function pinnedKeys(): readonly PinnedKey[] {
  const stored = read<readonly PinnedKey[]>(keysName)
  return Array.isArray(stored) ? stored.filter(({ vkey }) => findKey(vkey) !== undefined) : []
}

/** @returns false for what is no key of a log */
export function pinKey(vkey: string): boolean {
  if (findKey(vkey) === undefined) return false
  const others = pinnedKeys().filter((known) => known.vkey !== vkey)
  write(keysName, [...others, { vkey, at: Date.now() }])
  return true
}

/** Reads a verifier key; `undefined` for what is none, or not one of a log. Attacker-controlled. */
export function findKey(vkey: string): VerifierKey | undefined {
  try {
    const key = parseVerifierKey(bundled, vkey)
    return key.kind === 'ed25519' ? key : undefined
  } catch {
    return undefined
  }
}

export function storedTreeHead(origin: string): StoredTreeHead | undefined {
  const seen = read<StoredTreeHead>(`miniseal-audit-seen ${origin}`)
  return typeof seen?.size === 'number' && typeof seen.root === 'string' ? seen : undefined
}

export function storeTreeHead(origin: string, head: StoredTreeHead): void {
  write(`miniseal-audit-seen ${origin}`, head)
}

export type Language = 'zh-CN' | 'en'

/** As it was chosen here; else what the service made of Accept-Language. */
export function storedLanguage(): Language {
  const stored = read<string>(languageName) ?? document.documentElement.lang
  return stored.startsWith('zh') ? 'zh-CN' : 'en'
}

export function storeLanguage(language: Language): void {
  write(languageName, language)
}
