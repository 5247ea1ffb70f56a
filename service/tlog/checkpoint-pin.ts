/**
 * The last signed checkpoint, stored outside the database, so that a restored backup is detected.
 *
 * The folder of an origin has a file for each checkpoint, named by its size; the largest one counts. A file gets its name
 * when it is complete and durable, and never changes. Processes on one machine need no lock: an older checkpoint cannot
 * replace a newer one, and two of one size must be equal.
 */
import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { equalBytes } from 'miniseal-protocol/bytes'
import type { Checkpoint } from 'miniseal-protocol/tlog/checkpoint'
import { parseCheckpointNote } from 'miniseal-protocol/tlog/checkpoint'

/** A checkpoint with its signed note. */
export interface PinnedCheckpoint extends Checkpoint {
  /** The signed note. */
  readonly note: string
}

export interface CheckpointPin {
  /**
   * The largest pinned checkpoint of this origin.
   *
   * @throws PinnedCheckpointDamaged if the file was changed
   */
  find(origin: string): Promise<PinnedCheckpoint | undefined>
  /**
   * Pins a checkpoint unless a larger one is pinned. Durable when this resolves.
   *
   * @throws PinnedCheckpointDamaged if another checkpoint of the same size is pinned
   */
  keep(note: string): Promise<void>
  /** Records that another log continues this one: `origin` is not signed any more. Durable; the last call counts. */
  close(origin: string, successor: string): Promise<void>
  /** The successor that `close` recorded. */
  findSuccessor(origin: string): Promise<string | undefined>
}

/** The pinned checkpoint cannot be used; the message is for the operator. */
export class PinnedCheckpointDamaged extends Error {
  override readonly name = 'PinnedCheckpointDamaged'
}

const suffix = '.checkpoint'
const successorFile = 'continued-as'
/** Digits of the largest size, so that names sort like sizes. */
const digits = 16

/** @param folder created with the first checkpoint */
export function openCheckpointPin(folder: string): CheckpointPin {
  const root = join(folder, 'pinned-checkpoints')
  const folderOf = (origin: string): string => join(root, encodeURIComponent(origin))
  return {
    async find(origin) {
      const [largest] = await namesIn(folderOf(origin))
      return largest === undefined ? undefined : await readPinned(folderOf(origin), largest, origin)
    },
    async keep(note) {
      const { checkpoint } = parseCheckpointNote(note)
      const logFolder = folderOf(checkpoint.origin)
      const [largest] = await namesIn(logFolder)
      const name = nameOf(checkpoint.size)
      if (largest !== undefined && largest > name) return
      if (largest !== name) await writeWhole(logFolder, name, note, linkUnlessExists)
      const pinned = await readPinned(logFolder, name, checkpoint.origin)
      // Another process pinned a larger one.
      if (pinned.size > checkpoint.size) return
      if (pinned.size < checkpoint.size)
        throw new PinnedCheckpointDamaged(`the pinned checkpoints in ${logFolder} were deleted`)
      if (!equalBytes(pinned.root, checkpoint.root)) {
        throw new PinnedCheckpointDamaged(`another checkpoint of size ${checkpoint.size} is pinned`)
      }
      await removeOlder(logFolder, name)
    },
    async close(origin, successor) {
      await writeWhole(folderOf(origin), successorFile, `${successor}\n`, rename)
    },
    async findSuccessor(origin) {
      return (await readText(join(folderOf(origin), successorFile)))?.trim()
    },
  }
}

/** For an in-memory database. */
export function openMemoryCheckpointPin(): CheckpointPin {
  const pinned = new Map<string, PinnedCheckpoint>()
  const successors = new Map<string, string>()
  return {
    find: async (origin) => pinned.get(origin),
    async keep(note) {
      const checkpoint = { ...parseCheckpointNote(note).checkpoint, note }
      if ((pinned.get(checkpoint.origin)?.size ?? -1) < checkpoint.size)
        pinned.set(checkpoint.origin, checkpoint)
    },
    async close(origin, successor) {
      successors.set(origin, successor)
    },
    findSuccessor: async (origin) => successors.get(origin),
  }
}

function nameOf(size: number): string {
  return `${String(size).padStart(digits, '0')}${suffix}`
}

/** File names, the largest checkpoint first. */
async function namesIn(logFolder: string): Promise<readonly string[]> {
  try {
    return (await readdir(logFolder))
      .filter((name) => name.endsWith(suffix))
      .sort()
      .reverse()
  } catch (error) {
    if (isAbsent(error)) return []
    throw error
  }
}

async function readPinned(logFolder: string, name: string, origin: string): Promise<PinnedCheckpoint> {
  const note = await readText(join(logFolder, name))
  // Another process pinned a larger one and removed this one.
  if (note === undefined) return await readLargest(logFolder, origin)
  try {
    const { checkpoint } = parseCheckpointNote(note)
    if (checkpoint.origin === origin && nameOf(checkpoint.size) === name) return { ...checkpoint, note }
  } catch {
    // Reported below, without the content of the file.
  }
  throw new PinnedCheckpointDamaged(`${join(logFolder, name)} is not a checkpoint of ${origin}`)
}

async function readLargest(logFolder: string, origin: string): Promise<PinnedCheckpoint> {
  const [largest] = await namesIn(logFolder)
  if (largest === undefined)
    throw new PinnedCheckpointDamaged(`the pinned checkpoints in ${logFolder} were deleted`)
  return await readPinned(logFolder, largest, origin)
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/** Writes a file atomically. @param put moves the draft to its name */
async function writeWhole(
  logFolder: string,
  name: string,
  text: string,
  put: (draft: string, path: string) => Promise<void>,
): Promise<void> {
  await makeFolder(logFolder)
  const draft = join(logFolder, `.${process.pid}-${randomBytes(6).toString('hex')}`)
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await put(draft, join(logFolder, name))
  } finally {
    await rm(draft, { force: true })
  }
  await syncFolder(logFolder)
}

/** Does not replace an existing file. */
async function linkUnlessExists(draft: string, path: string): Promise<void> {
  try {
    await link(draft, path)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
}

/** A new folder is durable once its parent is synced. */
async function makeFolder(logFolder: string): Promise<void> {
  const made = await mkdir(logFolder, { recursive: true, mode: 0o700 })
  if (made === undefined) return
  for (let folder = logFolder; folder.length >= dirname(made).length; folder = dirname(folder)) {
    await syncFolder(folder)
    if (folder === dirname(folder)) return
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Cleanup only: the largest checkpoint counts. */
async function removeOlder(logFolder: string, name: string): Promise<void> {
  for (const other of await readdir(logFolder)) {
    const isOlder = other.endsWith(suffix) && other < name
    if (isOlder) await rm(join(logFolder, other), { force: true })
  }
}

function isAbsent(error: unknown): boolean {
  return codeOf(error) === 'ENOENT'
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}
