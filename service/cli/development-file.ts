/** How `miniseal call` finds the development service: a file in the data folder, without secrets. */
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

/** `undefined` when no development service runs with this data folder. */
export function findDevelopmentFile(folder: string): DevelopmentFile | undefined {
  try {
    return shape.parse(JSON.parse(readFileSync(pathIn(folder), 'utf8')))
  } catch {
    return undefined
  }
}

/** The public origin, configured or of the development service that runs here. */
export function publicOrigin({ origin, dataFolder, host, port }: Config): string {
  return origin ?? findDevelopmentFile(dataFolder)?.origin ?? `http://${host}:${port}`
}

export function removeDevelopmentFile(folder: string): void {
  rmSync(pathIn(folder), { force: true })
}
