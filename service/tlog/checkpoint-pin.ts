/**
 * The last signed checkpoint, stored outside the database, so that a restored backup is detected.
 *
 * A folder for each origin holds a file for each checkpoint, named by its size; the largest one counts. A file is
 * linked to its name when it is complete and durable, and never written again. Processes on one machine need no lock: an
 * older checkpoint cannot replace a newer one, and two of one size must be equal.
 */
import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { equalBytes } from 'miniseal-protocol/bytes'
import type { Checkpoint } from 'miniseal-protocol/tlog/checkpoint'
import { parseCheckpointNote } from 'miniseal-protocol/tlog/checkpoint'

/** A checkpoint as it was signed. */
export interface PinnedCheckpoint extends Checkpoint {
  /** The signed note. */
  readonly note: string
}

export interface CheckpointPin {
  /**
   * The largest checkpoint of this origin that was signed here, or `undefined` when there is none.
   *
   * @throws PinnedCheckpointDamaged when a file is not what was written there.
   */
  find(origin: string): Promise<PinnedCheckpoint | undefined>
  /**
   * Pins a checkpoint; it, or a larger one, is durable when this resolves. A smaller one than the pinned one is ignored.
   *
   * @throws PinnedCheckpointDamaged when another checkpoint of the same size is there.
   */
  keep(note: string): Promise<void>
  /** Records that a log is continued by another one: nothing is signed for `origin` any more. Durable; the last one counts. */
  close(origin: string, successor: string): Promise<void>
  /** The origin that `close` named. */
  findSuccessor(origin: string): Promise<string | undefined>
}

/** The pinned checkpoint cannot be used; the message is for the operator. */
export class PinnedCheckpointDamaged extends Error {
  override readonly name = 'PinnedCheckpointDamaged'
}

const suffix = '.checkpoint'
const successorFile = 'continued-as'
/** The digits of the largest size, so that names sort as sizes do. */
const digits = 16

/** Pinned checkpoints in `folder`, which is created with the first one. */
export function openCheckpointPin(folder: string): CheckpointPin {
  const root = join(folder, 'pinned-checkpoints')
  const folderOf = (origin: string): string => join(root, encodeURIComponent(origin))
  return {
    async find(origin) {
      const [largest] = await namesIn(folderOf(origin))
      return largest === undefined ? undefined : await readLocked(folderOf(origin), largest, origin)
    },
    async keep(note) {
      const { checkpoint } = parseCheckpointNote(note)
      const logFolder = folderOf(checkpoint.origin)
      const [largest] = await namesIn(logFolder)
      const name = nameOf(checkpoint.size)
      if (largest !== undefined && largest > name) return
      if (largest !== name) await writeWhole(logFolder, name, note, linkUnlessThere)
      const locked = await readLocked(logFolder, name, checkpoint.origin)
      // Another process has pinned a larger one.
      if (locked.size > checkpoint.size) return
      if (locked.size < checkpoint.size)
        throw new PinnedCheckpointDamaged(`the pinned checkpoints in ${logFolder} were deleted`)
      if (!equalBytes(locked.root, checkpoint.root)) {
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
  const locked = new Map<string, PinnedCheckpoint>()
  const successors = new Map<string, string>()
  return {
    find: async (origin) => locked.get(origin),
    async keep(note) {
      const checkpoint = { ...parseCheckpointNote(note).checkpoint, note }
      if ((locked.get(checkpoint.origin)?.size ?? -1) < checkpoint.size)
        locked.set(checkpoint.origin, checkpoint)
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

async function readLocked(logFolder: string, name: string, origin: string): Promise<PinnedCheckpoint> {
  const note = await readText(join(logFolder, name))
  // Another process has pinned a larger one and removed this one.
  if (note === undefined) return await readLargest(logFolder, origin)
  try {
    const { checkpoint } = parseCheckpointNote(note)
    if (checkpoint.origin === origin && nameOf(checkpoint.size) === name) return { ...checkpoint, note }
  } catch {
    // Reported below, without the file's content.
  }
  throw new PinnedCheckpointDamaged(`${join(logFolder, name)} is not a checkpoint of ${origin}`)
}

async function readLargest(logFolder: string, origin: string): Promise<PinnedCheckpoint> {
  const [largest] = await namesIn(logFolder)
  if (largest === undefined)
    throw new PinnedCheckpointDamaged(`the pinned checkpoints in ${logFolder} were deleted`)
  return await readLocked(logFolder, largest, origin)
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/** Writes a file atomically. `put` moves the draft to its name. */
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

/** An existing file is kept. */
async function linkUnlessThere(draft: string, path: string): Promise<void> {
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

/** Only cleanup: the largest checkpoint counts. */
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
