/** Persistent state of the browser: language, pinned log keys and the last verified tree head. */
import { parseVerifierKey, type VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { bundled } from './web-crypto.ts'

/** A log key that the auditor has pinned. */
export interface PinnedKey {
  readonly vkey: string
  /** UNIX milliseconds. */
  readonly at: number
}

/** A verified tree head. */
export interface StoredTreeHead {
  readonly size: number
  /** base64 */
  readonly root: string
  /** UNIX milliseconds. */
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

/** Dispatched when a key was pinned, so that components verify again. */
export const keyPinned = 'miniseal-key-pinned'

/** @returns false for an invalid log key */
export function pinKey(vkey: string): boolean {
  if (findKey(vkey) === undefined) return false
  const others = pinnedKeys().filter((known) => known.vkey !== vkey)
  write(keysName, [...others, { vkey, at: Date.now() }])
  dispatchEvent(new Event(keyPinned))
  return true
}

/** Parses the verifier key of a log; `undefined` for any other value. Attacker-controlled. */
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

/** The chosen language, or the one that the service selected by Accept-Language. */
export function storedLanguage(): Language {
  const stored = read<string>(languageName) ?? document.documentElement.lang
  return stored.startsWith('zh') ? 'zh-CN' : 'en'
}

export function storeLanguage(language: Language): void {
  write(languageName, language)
}
