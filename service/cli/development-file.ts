/** A file in the data folder by which `miniseal call` finds the development service. Without secrets. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Config } from '../config/config.ts'

const shape = z.object({
  origin: z.string(),
  roots: z.array(z.string()),
  appid: z.string(),
  sandbox: z.string().optional(),
})

export type DevelopmentFile = z.infer<typeof shape>

function pathIn(folder: string): string {
  return join(folder, 'development.json')
}

export function writeDevelopmentFile(folder: string, content: DevelopmentFile): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(pathIn(folder), `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 })
}

/** `undefined` if no development service runs with this data folder. */
export function findDevelopmentFile(folder: string): DevelopmentFile | undefined {
  try {
    return shape.parse(JSON.parse(readFileSync(pathIn(folder), 'utf8')))
  } catch {
    return undefined
  }
}

/** The public origin: configured, or of the running development service. */
export function publicOrigin({ origin, dataFolder, host, port }: Config): string {
  return origin ?? findDevelopmentFile(dataFolder)?.origin ?? `http://${host}:${port}`
}

export function removeDevelopmentFile(folder: string): void {
  rmSync(pathIn(folder), { force: true })
}
