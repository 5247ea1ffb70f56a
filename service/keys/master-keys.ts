/** The master keys as an operator gives them, and the one that development makes for itself. */
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Reads `MINISEAL_MASTER_KEY`: 32 bytes in base64, or a comma list of them, the current one first.
 *
 * @throws Error for the operator; it does not quote the value.
 */
export function parseMasterKeys(text: string | undefined): readonly Uint8Array[] | undefined {
  return text?.split(',').map((entry) => {
    const key = Buffer.from(entry.trim(), 'base64')
    if (key.length !== 32 || key.toString('base64') !== entry.trim()) {
      throw new Error(
        'MINISEAL_MASTER_KEY must be 32 bytes in base64, or a comma list of them, current first',
      )
    }
    return new Uint8Array(key)
  })
}

/** Development only: a key of its own for each data folder, readable by its owner alone. */
export function developmentMasterKey(folder: string): Uint8Array {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  chmodSync(folder, 0o700)
  const path = join(folder, 'master.key')
  if (!existsSync(path)) writeFileSync(path, randomBytes(32).toString('base64'), { mode: 0o600, flag: 'wx' })
  const keys = parseMasterKeys(readFileSync(path, 'utf8').trim())
  if (keys?.[0] === undefined) throw new Error('the development master key cannot be read')
  return keys[0]
}

/** The key that {@link developmentMasterKey} has made in this folder; `undefined` where it has not. */
export function findDevelopmentMasterKey(folder: string): readonly Uint8Array[] | undefined {
  const path = join(folder, 'master.key')
  return existsSync(path) ? parseMasterKeys(readFileSync(path, 'utf8').trim()) : undefined
}
