/** Master keys: parsing, a check for weak ones, and the generated key of development mode. */
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Parses `MINISEAL_MASTER_KEY`: 32 bytes in base64, or a comma-separated list of them, the current key first.
 *
 * @throws Error for the operator; it does not quote the value.
 */
export function parseMasterKeys(text: string | undefined): readonly Uint8Array[] | undefined {
  return text?.split(',').map((entry) => {
    const key = Buffer.from(entry.trim(), 'base64')
    if (key.length !== 32 || key.toString('base64') !== entry.trim()) {
      throw new Error(
        'MINISEAL_MASTER_KEY must be 32 bytes in base64, or a comma-separated list of them, current first',
      )
    }
    return new Uint8Array(key)
  })
}

/** Development only: the key of a data folder, generated once, readable by its owner only. */
export function developmentMasterKey(folder: string): Uint8Array {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  chmodSync(folder, 0o700)
  const path = developmentKeyPath(folder)
  if (!existsSync(path)) writeFileSync(path, randomBytes(32).toString('base64'), { mode: 0o600, flag: 'wx' })
  const [key] = findDevelopmentMasterKey(folder) ?? []
  if (key === undefined) throw new Error('the development master key cannot be read')
  return key
}

/** The key that {@link developmentMasterKey} generated in this folder; `undefined` if there is none. */
export function findDevelopmentMasterKey(folder: string): readonly Uint8Array[] | undefined {
  const path = developmentKeyPath(folder)
  return existsSync(path) ? parseMasterKeys(readFileSync(path, 'utf8').trim()) : undefined
}

function developmentKeyPath(folder: string): string {
  return join(folder, 'master.key')
}

/** One of 10^10 random keys has fewer distinct bytes. */
const minDistinct = 16

/**
 * Detects keys that are not random.
 *
 * @returns the problem, as a predicate of the variable's name, without the key; `undefined` if there is none
 */
export function findWeakness(key: Uint8Array): string | undefined {
  if (isText(key)) return 'is text in base64, not random bytes'
  if (isRepeated(key)) return 'repeats itself'
  // Differences are constant in a key that counts up or down.
  const differences = key.subarray(1).map((byte, i) => byte - (key[i] ?? 0))
  if (Math.min(new Set(key).size, new Set(differences).size) < minDistinct) {
    return 'has too few different bytes to be random'
  }
  return undefined
}

/** Valid UTF-8, perhaps truncated, like a passphrase or a key in hex; also one of 10^7 random keys. */
function isText(key: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(key, { stream: true })
    return true
  } catch {
    return false
  }
}

function isRepeated(key: Uint8Array): boolean {
  const periods = Array.from({ length: key.length / 2 }, (_, i) => i + 1)
  return periods.some((period) => key.subarray(period).every((byte, i) => byte === key[i]))
}
