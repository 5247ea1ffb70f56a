/** From a configuration to the guard of a service's disk, with its lines and metrics. */
import { dirname } from 'node:path'
import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import { diskRecorder } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import { type DiskGuard, type DiskSettings, guardDisk } from './disk.ts'

/** What tests may set: what the system would say of free space, and how often it is asked. */
export type DiskTest = Pick<DiskSettings, 'freeOf' | 'period'>

/** Watches the folders of SQLite and of the data. PostgreSQL has disks of its own, which its operators watch. */
export async function watchDisk(
  { database, dataFolder, diskReserve: reserve }: Config,
  test: DiskTest | undefined,
  { log, metrics }: { readonly log: Logger; readonly metrics: Metrics },
): Promise<DiskGuard> {
  const isWatched = database.kind === 'sqlite' && database.path !== ':memory:' && reserve > 0
  const folders = isWatched ? [dirname(database.path), dataFolder] : []
  const disk = await guardDisk({ folders, reserve, ...test, onChange: diskRecorder(log) })
  metrics.watchDisk(disk)
  return disk
}
