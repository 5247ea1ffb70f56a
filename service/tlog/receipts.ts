/** Receipts: the log entry of a user's own request, with its proof (protocol, section 12). */

import { equalBytes } from 'miniseal-protocol/bytes'
import { FormatError } from 'miniseal-protocol/errors'
import type { ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { decodeBase64Url, encodeBase64 } from 'miniseal-protocol/text'
import { z } from 'zod'
import { jsonReply } from '../messages/content.ts'
import { ProblemError } from '../problems/problem-error.ts'
import type { Store } from '../store/store.ts'
import type { LogEntry, PendingEntry } from '../store/tlog-entries.ts'
import type { BlindIndexOf } from './blind-index.ts'
import { leafIdText, parseLeafId } from './entry.ts'
import type { LogReader } from './reader.ts'
import { type OpenedGroups, openDetail } from './sealed-details.ts'
import type { SubjectKeys } from './subject-keys.ts'

export interface ReceiptDependencies {
  readonly store: Pick<Store, 'findPending'>
  readonly reader: LogReader
  readonly keys: SubjectKeys
  readonly blindIndexOf: BlindIndexOf
}

export interface Receipts {
  /**
   * The receipt as a reply: 200 with the proof, 202 while no checkpoint covers the entry.
   *
   * @param id the UUID of the entry, or b64u of its leaf hash. Attacker-controlled.
   * @throws ProblemError `not_found` for an entry of another user, a pruned or an unknown one
   */
  read(id: string, user: string): Promise<ResponseMessage>
}

/** Standard base64. */
const base64 = z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/)

const named = { id: z.uuid(), leaf: base64 }

/** No checkpoint covers the entry yet: retry. */
export const pendingReceipt = z.strictObject({ ...named, state: z.literal('pending') })

/** The entry, its inclusion proof, a checkpoint, and the disclosed groups. */
export const provedReceipt = z.strictObject({
  ...named,
  index: z.number().int().min(0),
  size: z.number().int().min(1),
  proof: z.array(base64),
  checkpoint: z.string(),
  groups: z.record(z.string(), z.strictObject({ salt: base64, value: z.string() })),
})

/** A proof against one checkpoint stays valid. */
const caching = 'private, max-age=3600'

export function createReceipts(parts: ReceiptDependencies): Receipts {
  return {
    async read(id, user) {
      const name = parseName(id)
      const found = name === undefined ? undefined : await findOwn(parts, name, user)
      if (found === undefined) throw new ProblemError('not_found', 'receipt not found')
      return await replyOf(parts, found)
    },
  }
}

/** A UUID, or b64u of a leaf hash. Attacker-controlled. */
function parseName(text: string): Uint8Array | undefined {
  const id = parseLeafId(text)
  if (id !== undefined || text.length !== 43) return id
  try {
    return decodeBase64Url(text)
  } catch (error) {
    if (error instanceof FormatError) return undefined
    throw error
  }
}

interface OwnLeaf {
  readonly row: PendingEntry | LogEntry
  readonly groups: OpenedGroups
}

async function findOwn(
  parts: ReceiptDependencies,
  name: Uint8Array,
  user: string,
): Promise<OwnLeaf | undefined> {
  const { reader, store, keys, blindIndexOf } = parts
  // The entry may be sequenced between the first two reads.
  const row =
    (await reader.entryById(name)) ?? (await store.findPending(name)) ?? (await reader.entryById(name))
  const index = blindIndexOf('user', user)
  if (row === undefined || row.detail === null || row.userBlindIndex === null) return undefined
  if (!equalBytes(index, row.userBlindIndex)) return undefined
  const key = await keys.find(index)
  if (key === undefined) return undefined
  const groups = openDetail(row.detail, row.id, key.key)
  return isAbout(groups, user) ? { row, groups } : undefined
}

/** Blind indexes are short and can collide: the sealed detail decides. */
function isAbout(groups: OpenedGroups, user: string): boolean {
  const sub: unknown = JSON.parse(groups.get('sub')?.value ?? '{}')
  return typeof sub === 'object' && sub !== null && 'user' in sub && sub.user === user
}

async function replyOf({ reader }: ReceiptDependencies, { row, groups }: OwnLeaf) {
  const name = { id: leafIdText(row.id), leaf: encodeBase64(row.leaf) }
  const found = 'globalIndex' in row ? await reader.inclusion(row.globalIndex) : undefined
  if (found === undefined) {
    const reply = jsonReply(pendingReceipt, 202, { ...name, state: 'pending' })
    return { ...reply, fields: [...reply.fields, ['retry-after', '1']] as const }
  }
  const opened = [...groups].map(
    ([label, { salt, value }]) => [label, { salt: encodeBase64(salt), value }] as const,
  )
  const { hashes, ...proved } = found
  const proof = hashes.map((hash) => encodeBase64(hash))
  const receipt = { ...name, ...proved, proof, groups: Object.fromEntries(opened) }
  const reply = jsonReply(provedReceipt, 200, receipt)
  const fields = reply.fields.filter(([field]) => field !== 'cache-control')
  return { ...reply, fields: [...fields, ['cache-control', caching]] as const }
}
