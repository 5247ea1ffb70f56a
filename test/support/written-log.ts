/** A log as a service writes it: entries staged, sequenced, signed and pinned, with details encrypted per user. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FlatObject } from '../../crypto/tlog/flat-json.ts'
import { emptyRoot } from '../../crypto/tlog/merkle.ts'
import type { Keyring } from '../../service/keys/keyring.ts'
import { openKeyring } from '../../service/keys/keyring.ts'
import { noteVerifierKey } from '../../service/keys/publication.ts'
import { sodiumPrimitives } from '../../service/keys/sodium-primitives.ts'
import { createSecretWrapper, secretContext } from '../../service/keys/wrapping.ts'
import { openStore } from '../../service/store/open-store.ts'
import type { Store } from '../../service/store/store.ts'
import type { LeafResult, PendingEntry } from '../../service/store/tlog-entries.ts'
import type { BlindIndexOf } from '../../service/tlog/blind-index.ts'
import { areaOf, createBlindIndex, pathOf } from '../../service/tlog/blind-index.ts'
import { signCheckpoint } from '../../service/tlog/checkpoint.ts'
import { openCheckpointPin } from '../../service/tlog/checkpoint-pin.ts'
import { createRowMacs, growAuthenticated } from '../../service/tlog/row-macs.ts'
import type { OpenedGroups } from '../../service/tlog/sealed-details.ts'
import { commitmentOf, sealDetail } from '../../service/tlog/sealed-details.ts'
import { serviceSubjectIndex } from '../../service/tlog/subject-keys.ts'
import { hashLeaf } from '../../service/tlog/tree.ts'
import type { TestDatabase } from '../integration/store/engines.ts'

export const logOrigin = 'pay.example.com/audit/2025'

/** UNIX seconds at which the log starts: an hour ago, so that no retention has expired. */
export const logStart: number = Math.floor(Date.now() / 1000) - 3_600

/** The contents of one entry. */
export interface MadeEntry {
  readonly kind?: string
  readonly result?: LeafResult
  readonly code?: string
  /** `null`: an entry without a user. */
  readonly user?: string | null
  readonly path?: string
  readonly ip?: string
  /** Milliseconds since 1970. */
  readonly at?: number
  /** Public facts of the leaf. */
  readonly facts?: Readonly<Record<string, string>>
  /** Additional groups, or replacements of the default ones. */
  readonly groups?: Readonly<Record<string, FlatObject>>
}

export interface WrittenLog {
  readonly database: TestDatabase
  readonly store: Store
  readonly keyring: Keyring
  readonly blindIndexOf: BlindIndexOf
  /** `MINISEAL_DATA`. */
  readonly folder: string
  /** For commands on the same database. */
  readonly environment: Readonly<Record<string, string>>
  readonly vkey: string
  /** Stages and sequences entries. */
  append(entries: readonly MadeEntry[]): Promise<readonly PendingEntry[]>
  /** Stages entries without sequencing them. */
  stage(entries: readonly MadeEntry[]): Promise<readonly PendingEntry[]>
  sequence(): Promise<void>
  /** Signs a checkpoint of the current tree and pins it. @returns the note */
  sign(): Promise<string>
  close(): Promise<void>
}

/** Starts a log on an empty database: one entry, `log-started`. */
export async function startLog(create: () => Promise<TestDatabase>): Promise<WrittenLog> {
  const database = await create()
  const folder = mkdtempSync(join(tmpdir(), 'miniseal-log-'))
  const masterKey = randomBytes(32)
  const wrapper = createSecretWrapper([new Uint8Array(masterKey)])
  const store = await openStore(database.location)
  const keyring = await openKeyring(store, wrapper, logStart)
  const key = keyring.current('log', logStart)
  const lookupKey = keyring.current('lookup', logStart).secretKey
  const [blindIndexOf, macs] = [createBlindIndex(lookupKey), createRowMacs(lookupKey)]
  const subjects = subjectKeys(store, (secret, tag) =>
    wrapper.wrap(secret, secretContext('subject_keys.key_wrapped', [tag])),
  )
  const checkpointPin = openCheckpointPin(folder)
  const empty = { log: 0, origin: logOrigin, size: 0, root: emptyRoot(sodiumPrimitives) }
  await store.commit([{ kind: 'insert-log-state', state: { ...empty, mac: macs.ofState(empty) } }])
  let seed = 0
  const stage = async (entries: readonly MadeEntry[]): Promise<readonly PendingEntry[]> => {
    const pending: PendingEntry[] = []
    for (const entry of entries) pending.push(await makeLeaf(entry, seed++, blindIndexOf, subjects))
    await store.commit(
      pending.map((entry) => ({
        kind: 'insert-pending-entry' as const,
        entry: { ...entry, mac: macs.ofEntry(entry.hash) },
      })),
    )
    return pending
  }
  const sequence = async (): Promise<void> => {
    for (;;) {
      const result = await store.sequence(growAuthenticated(macs), 256)
      if (result.kind === 'idle') return
      if (result.kind !== 'sequenced') throw new Error(`not sequenced: ${result.kind}`)
    }
  }
  await stage([{ kind: 'log-started', user: null }])
  await sequence()
  const { location } = database
  return {
    database,
    store,
    keyring,
    blindIndexOf,
    folder,
    environment: {
      MINISEAL_DATABASE: location.kind === 'sqlite' ? `sqlite:${location.path}` : location.url,
      MINISEAL_DATA: folder,
      MINISEAL_MASTER_KEY: masterKey.toString('base64'),
    },
    vkey: noteVerifierKey(logOrigin, key.publicKey),
    stage,
    sequence,
    async append(entries) {
      const pending = await stage(entries)
      await sequence()
      return pending
    },
    async sign() {
      const state = await store.findLogState()
      if (state === undefined) throw new Error('no log')
      const note = signCheckpoint(state, [key])
      const { log, size } = state
      await store.commit([{ kind: 'insert-checkpoint', log, size, signedAt: logStart + size, note }])
      await checkpointPin.keep(note)
      return note
    },
    async close() {
      await store.close()
      await database.remove()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The default time of an entry by its number: milliseconds since 1970. */
export function entryTime(seed: number): number {
  return logStart * 1000 + seed * 10
}

/** `n` requests of three users; `from` numbers them. */
export function requests(n: number, from = 0): readonly MadeEntry[] {
  return Array.from({ length: n }, (_, i) => ({
    user: `u_person-${(from + i) % 3}`,
    path: `/wallet/transfers/${from + i}?page=1`,
  }))
}

type SubjectKeys = (tag: Uint8Array) => Promise<Uint8Array>

function subjectKeys(store: Store, wrap: (secret: Uint8Array, tag: Uint8Array) => Uint8Array): SubjectKeys {
  const kept = new Map<string, Uint8Array>()
  return async (tag) => {
    const name = Buffer.from(tag).toString('hex')
    const known = kept.get(name)
    if (known !== undefined) return known
    const key = new Uint8Array(randomBytes(32))
    await store.commit([
      { kind: 'insert-subject-key', subjectIndex: tag, keyWrapped: wrap(key, tag), createdAt: logStart },
    ])
    kept.set(name, key)
    return key
  }
}

async function makeLeaf(
  entry: MadeEntry,
  seed: number,
  blindIndexOf: BlindIndexOf,
  subjects: SubjectKeys,
): Promise<PendingEntry> {
  const { kind = 'request', result = 'ok', code, user = `u_person-${seed % 3}` } = entry
  const { path = '/wallet/transfers', ip = `192.0.2.${seed % 250}`, at = entryTime(seed) } = entry
  const device = user === null ? undefined : createHash('sha256').update(user).digest('base64url')
  const values: Record<string, FlatObject> = {
    core: { method: 'POST', path, status: '200', ...(code === undefined ? {} : { refusal: code }) },
    net: { ip },
    ...(user === null || device === undefined ? {} : { sub: { device, user } }),
    ...entry.groups,
  }
  const groups: OpenedGroups = new Map(
    Object.entries(values).map(([label, members]) => [
      label,
      { salt: new Uint8Array(randomBytes(32)), value: sortedJson(members) },
    ]),
  )
  const id = timedId(at, seed)
  const commitments = [...groups].map(([label, group]): [string, string] => [
    label,
    Buffer.from(commitmentOf(label, group)).toString('base64'),
  ])
  const text = JSON.stringify({
    app: 'wx1234567890abcdef',
    c: Object.fromEntries(commitments.sort(([a], [b]) => (a < b ? -1 : 1))),
    id: textOfId(id),
    k: kind,
    r: result,
    rc: '1y',
    ts: at,
    v: 1,
    ...(entry.facts === undefined ? {} : { x: entry.facts }),
  })
  const leaf = new Uint8Array(Buffer.from(text))
  const userBlindIndex = user === null ? null : blindIndexOf('user', user)
  return {
    id,
    hash: hashLeaf(leaf),
    leaf,
    at,
    kind,
    result,
    code: code ?? null,
    app: 'wx1234567890abcdef',
    userBlindIndex,
    deviceBlindIndex: device === undefined ? null : blindIndexOf('device', device),
    ipBlindIndex: blindIndexOf('ip', ip),
    pathBlindIndex: blindIndexOf('path', pathOf(path)),
    areaBlindIndex: blindIndexOf('area', areaOf(path)),
    detail: sealDetail(groups, id, await subjects(userBlindIndex ?? serviceSubjectIndex)),
    detailExpiresAt: logStart + 86_400 * 365,
  }
}

function sortedJson(members: FlatObject): string {
  return JSON.stringify(Object.fromEntries(Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1))))
}

function timedId(at: number, seed: number): Uint8Array {
  const id = new Uint8Array(createHash('sha256').update(`id ${seed}`).digest().subarray(0, 16))
  const view = new DataView(id.buffer)
  view.setUint16(0, Math.floor(at / 2 ** 32))
  view.setUint32(2, at % 2 ** 32)
  view.setUint8(6, (view.getUint8(6) & 0x0f) | 0x70)
  view.setUint8(8, (view.getUint8(8) & 0x3f) | 0x80)
  return id
}

function textOfId(id: Uint8Array): string {
  const hex = Buffer.from(id).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
