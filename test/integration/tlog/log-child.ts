/**
 * A process that writes to a log: `node log-child.js <task as JSON>`.
 *
 * It stages leaves in batches and prints the hash of each acknowledged one. A task can make it die by
 * SIGKILL at a certain step: the drivers and the file system are wrapped here, in the test's own process, so that what
 * runs is the code of the service as it is.
 */
import files, { readSync, writeSync } from 'node:fs'
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import Database from 'better-sqlite3'
import pg from 'pg'
import type { DatabaseLocation } from '../../../service/store/open-store.ts'
import { pendingEntry, sealedPendingEntry } from '../../support/log-records.ts'
import { freshSeed, openTestLog } from '../../support/opened-log.ts'

/** Where to die: at the `count`-th statement that begins so, or call of the file system with this name. */
export interface Fault {
  readonly at: string
  readonly when: 'before' | 'after'
  readonly count: number
}

export interface Task {
  readonly location: DatabaseLocation
  readonly folder: string
  /** How many leaves to stage before it stops; without it, it never does. */
  readonly leaves?: number
  readonly fault?: Fault
}

const { location, folder, leaves, fault } = JSON.parse(process.argv[2] ?? '') as Task

/** Writes to the pipe synchronously, so that the line is delivered even when the process dies immediately. */
function say(line: string): void {
  writeSync(1, `${line}\n`)
}

function die(): never {
  process.kill(process.pid, 'SIGKILL')
  // The signal comes at once, but not within this call.
  for (;;) readSync(0, new Uint8Array(1))
}

let seen = 0
/** @param names of what is done together */
function isTime(names: string, when: Fault['when']): boolean {
  if (fault === undefined || fault.when !== when) return false
  if (!names.split(';\n').some((name) => name.startsWith(fault.at))) return false
  seen += 1
  return seen >= fault.count
}

function wrap<A extends unknown[], R>(name: string, call: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    if (isTime(name, 'before')) die()
    const result = call(...args)
    if (!(result instanceof Promise)) {
      if (isTime(name, 'after')) die()
      return result
    }
    return result.then((value) => {
      if (isTime(name, 'after')) die()
      return value
    }) as R
  }
}

/** Statements that are sent together; it says by its callback that all are done. */
interface Batch {
  readonly text: string
  callback: (error: unknown) => void
}

function isBatch(value: unknown): value is Batch {
  return typeof value === 'object' && value !== null && 'submit' in value && 'rows' in value
}

function queryBatch(run: (batch: Batch) => unknown, batch: Batch): unknown {
  if (isTime(batch.text, 'before')) die()
  const { callback } = batch
  batch.callback = (error) => {
    if (isTime(batch.text, 'after')) die()
    callback.call(batch, error)
  }
  return run(batch)
}

function wrapDrivers(): void {
  const { prepare, exec } = Database.prototype
  Database.prototype.prepare = function (this: Database.Database, text: string) {
    const statement = prepare.call(this, text)
    statement.all = wrap(text, statement.all.bind(statement))
    statement.run = wrap(text, statement.run.bind(statement))
    return statement
  } as typeof prepare
  Database.prototype.exec = function (this: Database.Database, text: string) {
    return wrap(text, exec.bind(this))(text)
  }
  const { query } = pg.Client.prototype
  pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
    const run = query.bind(this) as (...args: unknown[]) => unknown
    const [first] = args
    if (isBatch(first)) return queryBatch(run, first)
    return wrap(typeof first === 'string' ? first : (first as { text: string }).text, run)(...args)
  } as typeof query
  for (const name of ['open', 'link', 'rm', 'readdir'] as const) {
    Object.assign(fs, { [name]: wrap(`fs.${name}`, fs[name] as (...args: unknown[]) => unknown) })
  }
  const { fdatasync } = files
  Object.assign(files, {
    fdatasync: (file: number, done: (error: Error | null) => void) => {
      if (isTime('fs.fdatasync', 'before')) die()
      fdatasync(file, (error) => {
        if (isTime('fs.fdatasync', 'after')) die()
        done(error)
      })
    },
  })
  syncBuiltinESMExports()
}

if (fault !== undefined) wrapDrivers()
const opened = await openTestLog(location, folder)
say('open')
let staged = 0

/** As a service asks it before each request with an effect. */
function isOpen(): boolean {
  try {
    opened.log.gate.assertAcceptingEntries()
    return true
  } catch {
    return false
  }
}

async function writeForEver(): Promise<void> {
  while (leaves === undefined || staged < leaves) {
    if (!isOpen()) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      continue
    }
    staged += 1
    const entry = pendingEntry(freshSeed())
    const { kind } = await opened.dependencies.store.commit([
      { kind: 'insert-pending-entry', entry: sealedPendingEntry(entry) },
    ])
    if (kind !== 'committed') throw new Error('a leaf was refused')
    opened.log.gate.notify()
    say(Buffer.from(entry.hash).toString('hex'))
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
await Promise.all(Array.from({ length: 4 }, writeForEver))
await opened.close()
say('closed')
