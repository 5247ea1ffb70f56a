/** Entries of a log, as many as one likes: copies of a real one, each with an id, a leaf and a place of its own. */
import { randomBytes } from 'node:crypto'
import type Database from 'better-sqlite3'
import type { LogState, TileRecord } from '../../service/store/log-records.ts'
import { entryIndexOf } from '../../service/store/log-records.ts'
import type { LogSeals } from '../../service/tlog/seals.ts'
import { growTree, hashLeaf } from '../../service/tlog/tree.ts'

/** Leaves that are taken into the tree at one time. */
const batch = 16_384

const copied = 'at, kind, result, code, app, detail_until'

type Row = Readonly<Record<string, string | number | Uint8Array | null>>

/** Appends to the newest log until it has `size` entries; tree, tiles and state fit them. */
export function fillLog(connection: Database.Database, size: number, seals: LogSeals): void {
  const template = connection
    .prepare<[], Row>("select * from log_entries where kind = 'request' order by place desc limit 1")
    .get()
  if (template === undefined) throw new Error('there is no entry of a request')
  const insert = connection.prepare(
    `insert into log_entries (place, id, hash, leaf, ${copied}, user_tag, device_tag, ip_tag, path_tag, area_tag, detail)
     select ?, ?, ?, ?, ${copied}, ?, ?, ip_tag, path_tag, area_tag, ? from log_entries where place = ?`,
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
      const place = entryIndexOf(state.log, state.size + index)
      insert.run(place, id, hash, leaf, randomBytes(8), randomBytes(8), details, template.place)
    }
    const writeTile = connection.prepare('insert or replace into log_tiles values (?, ?, ?, ?)')
    for (const { log, level, index, hashes } of growth.tiles) writeTile.run(log, level, index, hashes)
    state = { ...state, size: state.size + count, root: growth.root }
    connection
      .prepare('update log_states set size = ?, root = ?, seal = ? where log = ?')
      .run(state.size, state.root, seals.ofState(state), state.log)
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
    .prepare<[], LogState>('select log, origin, size, root, seal from log_states order by log desc limit 1')
    .get()
  if (state === undefined) throw new Error('there is no log')
  return state
}

/** The last tile of each level, where there is one that is not full. */
function readEdge(connection: Database.Database, { log, size }: LogState): readonly TileRecord[] {
  const find = connection.prepare<[number, number, number], TileRecord>(
    'select log, level, tile_index as "index", hashes from log_tiles where log = ? and level = ? and tile_index = ?',
  )
  const levels = [0, 1, 2, 3, 4, 5, 6, 7]
  return levels
    .map((level) => find.get(log, level, Math.floor(size / 256 ** (level + 1))))
    .filter((tile) => tile !== undefined)
}

/** What the counts of the hours add up to is what is there. */
function countHour(connection: Database.Database, { kind, result }: Row): void {
  connection
    .prepare(
      `update log_hours set entries = (select count(*) from log_entries e where e.kind = log_hours.kind and e.result = log_hours.result)
       where kind = ? and result = ?`,
    )
    .run(kind, result)
}
