/** Fills a log with copies of a real entry, each with its own id, leaf and index. */
import { randomBytes } from 'node:crypto'
import type Database from 'better-sqlite3'
import { globalIndexOf } from '../../service/store/tlog-entries.ts'
import type { LogState, TileRecord } from '../../service/store/tlog-tree.ts'
import type { RowMacs } from '../../service/tlog/row-macs.ts'
import { growTree, hashLeaf } from '../../service/tlog/tree.ts'

/** Leaves that are taken into the tree at one time. */
const batch = 16_384

const copied = 'at, kind, result, code, app, detail_expires_at'

type Row = Readonly<Record<string, string | number | Uint8Array | null>>

/** Appends to the newest log until it has `size` entries; tree, tiles and state fit them. */
export function fillLog(connection: Database.Database, size: number, macs: RowMacs): void {
  const template = connection
    .prepare<[], Row>("select * from tlog_entries where kind = 'request' order by global_index desc limit 1")
    .get()
  if (template === undefined) throw new Error('there is no entry of a request')
  const insert = connection.prepare(
    `insert into tlog_entries (global_index, id, hash, leaf, ${copied}, user_blind_index, device_blind_index, ip_blind_index, path_blind_index, area_blind_index, detail)
     select ?, ?, ?, ?, ${copied}, ?, ?, ip_blind_index, path_blind_index, area_blind_index, ? from tlog_entries where global_index = ?`,
  )
  const makeLeaf = leafMaker(template.leaf as Uint8Array)
  let state = readState(connection)
  while (state.size < size) {
    const count = Math.min(batch, size - state.size)
    const pending = Array.from({ length: count }, () => {
      const id = randomBytes(16)
      const leaf = makeLeaf(id)
      return { id, leaf, hash: hashLeaf(leaf) }
    })
    const growth = growTree({ state, edge: readEdge(connection, state), pending })
    const details = randomBytes((template.detail as Uint8Array).length)
    for (const [index, { id, leaf, hash }] of pending.entries()) {
      details.writeUInt32BE(index)
      const globalIndex = globalIndexOf(state.log, state.size + index)
      insert.run(globalIndex, id, hash, leaf, randomBytes(8), randomBytes(8), details, template.global_index)
    }
    const writeTile = connection.prepare('insert or replace into tlog_tiles values (?, ?, ?, ?)')
    for (const { log, level, index, hashes } of growth.tiles) writeTile.run(log, level, index, hashes)
    state = { ...state, size: state.size + count, root: growth.root }
    connection
      .prepare('update tlog_states set size = ?, root = ?, mac = ? where log = ?')
      .run(state.size, state.root, macs.ofState(state), state.log)
  }
  countHour(connection, template)
}

/** Every leaf has its id in its text. */
function leafMaker(template: Uint8Array): (id: Buffer) => Uint8Array {
  const text = Buffer.from(template).toString('latin1')
  const at = text.indexOf('"id":"') + 6
  return (id) => {
    const hex = id.toString('hex')
    const parts = [[0, 8], [8, 12], [12, 16], [16, 20], [20]].map(([from, to]) => hex.slice(from, to))
    const leaf = new Uint8Array(template)
    leaf.set(Buffer.from(parts.join('-')), at)
    return leaf
  }
}

function readState(connection: Database.Database): LogState {
  const state = connection
    .prepare<[], LogState>('select log, origin, size, root, mac from tlog_states order by log desc limit 1')
    .get()
  if (state === undefined) throw new Error('there is no log')
  return state
}

/** The last tile of each level, where there is one that is not full. */
function readEdge(connection: Database.Database, { log, size }: LogState): readonly TileRecord[] {
  const find = connection.prepare<[number, number, number], TileRecord>(
    'select log, level, tile_index as "index", hashes from tlog_tiles where log = ? and level = ? and tile_index = ?',
  )
  const levels = [0, 1, 2, 3, 4, 5, 6, 7]
  return levels
    .map((level) => find.get(log, level, Math.floor(size / 256 ** (level + 1))))
    .filter((tile) => tile !== undefined)
}

/** Makes the hourly counts match the entries. */
function countHour(connection: Database.Database, { kind, result }: Row): void {
  connection
    .prepare(
      `update tlog_hourly_counts set entries = (select count(*) from tlog_entries e where e.kind = tlog_hourly_counts.kind and e.result = tlog_hourly_counts.result)
       where kind = ? and result = ?`,
    )
    .run(kind, result)
}
