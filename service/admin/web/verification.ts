/**
 * One entry, verified in the browser with nothing but what it was given and the pinned keys.
 *
 * Everything that comes in is attacker-controlled: the service is what is not trusted here.
 */

import { concatBytes, equalBytes } from 'miniseal-protocol/bytes'
import { decodeBase64, encodeAscii, encodeBase64, encodeBase64Url, encodeUtf8 } from 'miniseal-protocol/text'
import { type AuditLeaf, type GroupLabel, groupLabels, parseLeaf } from 'miniseal-protocol/tlog/audit-leaf'
import { parseCheckpointNote } from 'miniseal-protocol/tlog/checkpoint'
import { noteKeyId } from 'miniseal-protocol/tlog/signed-note'
import type { EntryAnswer, ShownProof } from '../api/answers.ts'
import { deviceSteps } from './device-signature.ts'
import { bundled, sha256, verifyEd25519 } from './digests.ts'
import { findKey, pinnedKeys } from './remembered.ts'
import { climb, type TreePath } from './tree-path.ts'
import { type Comparison, compare, type Step } from './verification-steps.ts'

/** All of it, and the way from the leaf to the root, for the drawing. */
export interface Verification {
  readonly steps: readonly Step[]
  readonly path: TreePath | undefined
}

/** @param id the entry that was asked for: UUID, or leaf hash in b64u; calls `onStep` after each step */
export async function verifyEntry(
  id: string,
  answer: EntryAnswer,
  onStep: (step: Step) => void,
): Promise<Verification> {
  const steps: Step[] = []
  const add = async (step: Step): Promise<void> => {
    steps.push(step)
    onStep(step)
    // The page draws it before the next one is taken.
    await new Promise((resolve) => setTimeout(resolve))
  }
  const bytes = bytesOf(answer.leaf)
  const leaf = bytes === undefined ? undefined : findLeaf(bytes)
  if (bytes === undefined || leaf === undefined) {
    await add({ name: 'leaf', outcome: 'bad', because: 'leafUnreadable' })
    return { steps, path: undefined }
  }
  await add(leafStep(leaf, id, answer))
  await add(await groupsStep(leaf, answer))
  const hash = await sha256(concatBytes(Uint8Array.of(0), bytes))
  await add(
    compare('hash', [{ of: 'leafHash', stated: statedHash(id, answer), computed: encodeBase64Url(hash) }]),
  )
  const path = answer.proof === null ? undefined : await climbOf(hash, answer.proof)
  await add(pathStep(answer.proof, path))
  await add(await checkpointStep(answer.proof))
  for (const step of await deviceSteps(answer)) await add(step)
  return { steps, path }
}

/** An id that is a leaf hash is what the auditor holds against the service; else it is what the service says. */
function statedHash(id: string, { row }: EntryAnswer): string {
  return /^[A-Za-z0-9_-]{43}$/.test(id) ? id : row.hash
}

function bytesOf(text: string): Uint8Array | undefined {
  try {
    return decodeBase64(text)
  } catch {
    return undefined
  }
}

function findLeaf(bytes: Uint8Array): AuditLeaf | undefined {
  try {
    return parseLeaf(bytes)
  } catch {
    return undefined
  }
}

/** What the table says of the entry must be what its leaf says. */
function leafStep(leaf: AuditLeaf, id: string, { row }: EntryAnswer): Step {
  const apiResult = /^[0-9a-f-]{36}$/.test(id) ? id : row.id
  return compare('leaf', [
    { of: 'id', stated: apiResult, computed: leaf.id },
    { of: 'kind', stated: row.kind, computed: leaf.kind },
    { of: 'result', stated: row.result, computed: leaf.result },
    { of: 'time', stated: String(row.at), computed: String(leaf.at) },
  ])
}

async function groupsStep(leaf: AuditLeaf, { groups }: EntryAnswer): Promise<Step> {
  const compared: Comparison[] = []
  for (const label of groupLabels) {
    const group = groups[label]
    if (group === undefined) continue
    const computed = await commitmentOf(label, group.salt, group.value)
    const stated = leaf.commitments?.[label]
    compared.push({ of: label, stated: stated === undefined ? 'absent' : encodeBase64(stated), computed })
  }
  if (compared.length === 0) return { name: 'groups', outcome: 'skipped', because: 'noGroups' }
  return compare('groups', compared)
}

async function commitmentOf(label: GroupLabel, salt: string, value: string): Promise<string> {
  const bytes = bytesOf(salt)
  if (bytes?.length !== 32) return 'unreadable'
  const prefix = encodeAscii(`miniseal-audit/1\n${label}\n`)
  return encodeBase64(await sha256(concatBytes(prefix, bytes, encodeUtf8(value))))
}

async function climbOf(hash: Uint8Array, { index, size, path }: ShownProof): Promise<TreePath | undefined> {
  const siblings = path.map(bytesOf)
  if (!siblings.every((it) => it !== undefined)) return undefined
  return await climb(hash, index, size, siblings)
}

function pathStep(proof: ShownProof | null, path: TreePath | undefined): Step {
  if (proof === null) return { name: 'path', outcome: 'skipped', because: 'notYetSigned' }
  const head = findCheckpoint(proof.checkpoint)?.checkpoint
  if (head === undefined || path === undefined || head.size !== proof.size)
    return { name: 'path', outcome: 'bad', because: 'proofUnreadable' }
  return compare('path', [{ of: 'root', stated: encodeBase64(head.root), computed: encodeBase64(path.root) }])
}

function findCheckpoint(note: string) {
  try {
    return parseCheckpointNote(note)
  } catch {
    return undefined
  }
}

async function checkpointStep(proof: ShownProof | null): Promise<Step> {
  if (proof === null) return { name: 'checkpoint', outcome: 'skipped', because: 'notYetSigned' }
  if (pinnedKeys().length === 0) return { name: 'checkpoint', outcome: 'skipped', because: 'noPinnedKey' }
  const signed = await findSigner(proof.checkpoint)
  if (signed === undefined) return { name: 'checkpoint', outcome: 'bad', because: 'notSignedByPinned' }
  return {
    name: 'checkpoint',
    outcome: 'good',
    because: signed.by,
    compared: [{ of: 'pinnedKey', stated: signed.vkey, computed: signed.vkey }],
  }
}

/** The pinned key that has signed a checkpoint; `undefined` for none. */
export async function findSigner(
  note: string,
): Promise<{ readonly vkey: string; readonly by: string } | undefined> {
  const parsed = findCheckpoint(note)
  if (parsed === undefined) return undefined
  const { origin } = parsed.checkpoint
  for (const { vkey } of pinnedKeys()) {
    const publicKey = findKey(vkey)?.publicKey
    if (publicKey === undefined) continue
    // A log that goes on under another origin keeps its key; the key is what was compared.
    const keyId = noteKeyId(bundled, { kind: 'ed25519', name: origin, publicKey })
    for (const line of parsed.note.signatures) {
      if (line.name !== origin || !equalBytes(line.keyId, keyId)) continue
      const { isRight, by } = await verifyEd25519(line.signature, encodeUtf8(parsed.note.text), publicKey)
      if (isRight) return { vkey, by }
    }
  }
  return undefined
}
