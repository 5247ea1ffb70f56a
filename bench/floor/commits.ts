/**
 * The rows of one encrypted POST, written directly: the same tables, indexes and row sizes, two durable commits (the claims
 * with their intent; the response with its leaf), each shared by a number of requests. A third commit moves the leaf from
 * the outbox to the log, which the service does later in batches.
 */
import { randomBytes } from 'node:crypto'
import Database from 'better-sqlite3'

export interface CommitFloor {
  readonly perSecond: number
  readonly perCpuSecond: number
}

const insertNonce = 'insert into nonces (scope, nonce, expires_at) values (?, ?, ?)'
const insertKey =
  'insert into idempotency_keys (user_id, key, fingerprint, started_at, expires_at) values (?, ?, ?, ?, ?)'
const insertIntent = 'insert into tlog_intents (id, user_blind_index, draft, started_at) values (?, ?, ?, ?)'
const settleKey =
  'update idempotency_keys set completed_at = ?, response_wrapped = ? where user_id = ? and key = ?'
const removeIntent = 'delete from tlog_intents where id = ?'
const columns =
  'id, hash, leaf, at, kind, result, app, user_blind_index, device_blind_index, ip_blind_index, path_blind_index, area_blind_index, detail, detail_expires_at'
const stageLeaf = `insert into tlog_pending (${columns}) values (?, ?, ?, ?, 'request', 'ok', ?, ?, ?, ?, ?, ?, ?, ?)`
const moveLeaves = `insert into tlog_entries (global_index, ${columns}) select ? + row_number() over (), ${columns} from tlog_pending`

/** Bytes of the rows that a POST of 200 bytes leaves, as measured. */
const sizes = { draft: 2_300, response: 407, leaf: 389, detail: 2_400 } as const

/** @param path of a database with the service's tables @param batch requests that share a commit */
export async function commitFloor({
  seconds,
  path,
  batch,
}: {
  readonly seconds: number
  readonly path: string
  readonly batch: number
}): Promise<CommitFloor> {
  const connection = new Database(path)
  connection.pragma('journal_mode = WAL')
  connection.pragma('synchronous = FULL')
  connection.exec('delete from tlog_entries; delete from tlog_pending')
  const run = requestWriter(connection, batch)
  const cpuBefore = process.cpuUsage()
  const startedAt = performance.now()
  let requests = 0
  while (performance.now() < startedAt + seconds * 1_000) {
    run()
    requests += batch
  }
  const wall = (performance.now() - startedAt) / 1_000
  const { user, system } = process.cpuUsage(cpuBefore)
  connection.close()
  return { perSecond: requests / wall, perCpuSecond: requests / ((user + system) / 1e6) }
}

function requestWriter(connection: Database.Database, batch: number): () => void {
  const [nonce, key, intent, settle, remove, stage, move, empty] = [
    ...[insertNonce, insertKey, insertIntent, settleKey, removeIntent, stageLeaf, moveLeaves],
    'delete from tlog_pending',
  ].map((text) => connection.prepare(text))
  const now = Math.floor(Date.now() / 1_000)
  let globalIndex = 0
  return () => {
    const made = Array.from({ length: batch }, () => ({ id: randomBytes(16), name: randomName(16) }))
    inTransaction(connection, () => {
      for (const { id, name } of made) {
        nonce?.run(randomName(43), id, now)
        key?.run('u_0123456789abcdef01234567', name, randomBytes(32), now, now)
        intent?.run(id, randomBytes(8), randomBytes(sizes.draft), now)
      }
    })
    inTransaction(connection, () => {
      for (const { id, name } of made) {
        settle?.run(now, randomBytes(sizes.response), 'u_0123456789abcdef01234567', name)
        remove?.run(id)
        const tags = Array.from({ length: 5 }, () => randomBytes(8))
        const texts = [randomBytes(32), randomBytes(sizes.leaf), now * 1_000, 'wx00000000000000be']
        stage?.run(id, ...texts, ...tags, randomBytes(sizes.detail), now)
      }
    })
    inTransaction(connection, () => {
      move?.run(globalIndex)
      empty?.run()
    })
    globalIndex += batch
  }
}

function inTransaction(connection: Database.Database, work: () => void): void {
  connection.exec('BEGIN IMMEDIATE')
  work()
  connection.exec('COMMIT')
}

function randomName(length: number): string {
  return randomBytes(length).toString('base64url').slice(0, length)
}
