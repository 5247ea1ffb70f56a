/**
 * The database of a peer: used nonces, and a record of each request with its evidence, in one commit that is durable before
 * the request is executed. SQLite, its settings and the group commit are those of Miniseal, so that only the schemes differ.
 */
import { createHash } from 'node:crypto'
import Database from 'better-sqlite3'
import { GroupCommit } from '../../service/store/sqlite/group-commit.ts'
import { openWalSync } from '../../service/store/sqlite/wal-sync.ts'

export interface PeerRequest {
  /** Identifies the client; nonces are unique for each sender. */
  readonly sender: string
  readonly nonce: string
  readonly method: string
  readonly path: string
  readonly body: Uint8Array | string
  /** Proof that the sender made the request, if the scheme has one. */
  readonly evidence: string
}

/** A rejected request, with the response for its sender. */
export class PeerRefusal extends Error {
  readonly status: 400 | 401 | 409

  constructor(status: 400 | 401 | 409, code: string) {
    super(code)
    this.status = status
  }
}

export interface PeerRecords {
  /** @throws PeerRefusal `replayed` when the sender used the nonce before; nothing is written then. */
  keep(request: PeerRequest): Promise<void>
  close(): Promise<void>
}

/** How long a nonce is kept, in seconds. */
const retention = 300

export function openPeerRecords(path: string): PeerRecords {
  const connection = new Database(path)
  connection.pragma('journal_mode = WAL')
  // As durable as FULL: the group commit syncs the WAL itself before any response.
  connection.pragma('synchronous = NORMAL')
  connection.exec(`
    create table nonces (sender text not null, nonce text not null, expires_at integer not null,
      primary key (sender, nonce));
    create index nonces_expires on nonces (expires_at);
    create table requests (id integer primary key, at integer not null, sender text not null, method text not null,
      path text not null, digest blob not null, evidence text not null);
    create index requests_sender on requests (sender, at);
    create index requests_at on requests (at);`)
  const claim = connection.prepare('insert into nonces values (?, ?, ?) on conflict do nothing')
  const record = connection.prepare(
    'insert into requests (at, sender, method, path, digest, evidence) values (?, ?, ?, ?, ?, ?)',
  )
  const wal = openWalSync(path)
  const group = new GroupCommit(connection, wal)
  return {
    async keep({ sender, nonce, method, path, body, evidence }) {
      const digest = createHash('sha256').update(body).digest()
      const now = Date.now()
      const isNew = await group.add(() => {
        const { changes } = claim.run(sender, nonce, Math.floor(now / 1_000) + retention)
        if (changes === 1) record.run(now, sender, method, path, digest, evidence)
        return { keep: changes === 1, value: changes === 1 }
      })
      if (!isNew) throw new PeerRefusal(409, 'replayed')
    },
    close: async () => {
      await group.close()
      wal.close()
      connection.close()
    },
  }
}
