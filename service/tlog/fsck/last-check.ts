/**
 * The result of the last successful check. The file is encrypted with the master key, so it cannot be forged; without it
 * the next check is a full one.
 */
import { readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeBase64, encodeBase64 } from 'miniseal-protocol/text'
import type { SecretContext, SecretWrapper } from '../../keys/wrapping.ts'
import type { CheckedLog } from './check-database.ts'

const context: SecretContext = { column: 'log-verified', row: '' }

function pathIn(folder: string): string {
  return join(folder, 'log-verified.json')
}

/** @throws the system's error where the folder cannot be written. */
export async function saveLastCheck(
  folder: string,
  wrapper: SecretWrapper,
  logs: readonly CheckedLog[],
): Promise<void> {
  const rows = logs.map(({ origin, size, root }) => ({ origin, size, root: encodeBase64(root) }))
  const sealed = wrapper.wrap(new Uint8Array(Buffer.from(JSON.stringify(rows))), context)
  const draft = `${pathIn(folder)}.${process.pid}`
  await writeFile(draft, `${JSON.stringify({ sealed: encodeBase64(sealed) })}\n`, { mode: 0o600 })
  await rename(draft, pathIn(folder))
}

/** `undefined` where there is none, or one that was not sealed with this master key. */
export async function findLastCheck(
  folder: string,
  wrapper: SecretWrapper,
): Promise<readonly CheckedLog[] | undefined> {
  try {
    const file: unknown = JSON.parse(await readFile(pathIn(folder), 'utf8'))
    const { sealed } = file as { readonly sealed: string }
    const text = Buffer.from(wrapper.unwrap(decodeBase64(sealed), context)).toString()
    const rows = JSON.parse(text) as readonly { origin: string; size: number; root: string }[]
    return rows.map(({ origin, size, root }) => ({ origin, size, root: decodeBase64(root) }))
  } catch {
    return undefined
  }
}

/** When the last good check ended, UNIX seconds, and how large the newest log was then. */
export async function findLastCheckTime(
  folder: string,
  wrapper: SecretWrapper,
): Promise<{ readonly at: number; readonly size: number } | undefined> {
  const newest = (await findLastCheck(folder, wrapper))?.at(-1)
  if (newest === undefined) return undefined
  const { mtimeMs } = await stat(pathIn(folder))
  return { at: Math.floor(mtimeMs / 1_000), size: newest.size }
}
