/**
 * Verifies an entry in the browser, with the pinned keys only.
 *
 * All answers are attacker-controlled: the service is not trusted here.
 */
import { concatBytes, equalBytes } from 'miniseal-protocol/bytes'
import { keyThumbprint } from 'miniseal-protocol/primitives/thumbprint'
import {
  decodeBase64,
  decodeBase64Url,
  encodeAscii,
  encodeBase64,
  encodeBase64Url,
  encodeUtf8,
} from 'miniseal-protocol/text'
import type { AuditLeaf, GroupLabel } from 'miniseal-protocol/tlog/audit-leaf'
import { groupLabels, parseGroup, parseLeaf } from 'miniseal-protocol/tlog/audit-leaf'
import { parseCheckpointNote } from 'miniseal-protocol/tlog/checkpoint'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import { noteKeyId } from 'miniseal-protocol/tlog/signed-note'
import type { EntryAnswer, ShownGroup, ShownProof } from '../api/answers.ts'
import { findKey, pinnedKeys } from './local-storage.ts'
import { bundled, sha256, verifyEd25519 } from './web-crypto.ts'

/** All steps, and the audit path for the drawing. */
export interface Verification {
  readonly steps: readonly Step[]
  readonly path: TreePath | undefined
}

/** @param id the requested entry: UUID, or leaf hash in base64url. @param onStep called after each step */
export async function verifyEntry(
  id: string,
  answer: EntryAnswer,
  onStep: (step: Step) => void,
): Promise<Verification> {
  const steps: Step[] = []
  const add = async (step: Step): Promise<void> => {
    steps.push(step)
    onStep(step)
    // Lets the page render before the next step.
    await new Promise((resolve) => setTimeout(resolve))
  }
  const bytes = bytesOf(answer.leaf)
  const leaf = bytes === undefined ? undefined : attempt(() => parseLeaf(bytes))
  if (bytes === undefined || leaf === undefined) {
    await add({ name: 'leaf', outcome: 'failed', reason: 'leafUnreadable' })
    return { steps, path: undefined }
  }
  await add(leafStep(leaf, id, answer))
  await add(await groupsStep(leaf, answer))
  const hash = await sha256(concatBytes(Uint8Array.of(0), bytes))
  await add(
    compare('hash', [{ of: 'leafHash', stated: statedHash(id, answer), computed: encodeBase64Url(hash) }]),
  )
  const path = answer.proof === null ? undefined : await pathOf(hash, answer.proof)
  await add(pathStep(answer.proof, path))
  await add(await checkpointStep(answer.proof))
  for (const step of await deviceSteps(answer)) await add(step)
  return { steps, path }
}

/** The expected hash: the requested one, or the one that the service states. */
function statedHash(id: string, { row }: EntryAnswer): string {
  return /^[A-Za-z0-9_-]{43}$/.test(id) ? id : row.hash
}

/** `undefined` for what `parse` refuses. */
function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch {
    return undefined
  }
}

function bytesOf(text: string): Uint8Array | undefined {
  return attempt(() => decodeBase64(text))
}

/** Compares the table row with the leaf. */
function leafStep(leaf: AuditLeaf, id: string, { row }: EntryAnswer): Step {
  const expectedId = /^[0-9a-f-]{36}$/.test(id) ? id : row.id
  return compare('leaf', [
    { of: 'id', stated: expectedId, computed: leaf.id },
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
  if (compared.length === 0) return { name: 'groups', outcome: 'skipped', reason: 'noGroups' }
  return compare('groups', compared)
}

async function commitmentOf(label: GroupLabel, salt: string, value: string): Promise<string> {
  const bytes = bytesOf(salt)
  if (bytes?.length !== 32) return 'unreadable'
  const prefix = encodeAscii(`miniseal-audit/1\n${label}\n`)
  return encodeBase64(await sha256(concatBytes(prefix, bytes, encodeUtf8(value))))
}

async function pathOf(hash: Uint8Array, { index, size, path }: ShownProof): Promise<TreePath | undefined> {
  const siblings = path.map(bytesOf)
  if (!siblings.every((it) => it !== undefined)) return undefined
  return await computePath(hash, index, size, siblings)
}

function pathStep(proof: ShownProof | null, path: TreePath | undefined): Step {
  if (proof === null) return { name: 'path', outcome: 'skipped', reason: 'notYetSigned' }
  const head = attempt(() => parseCheckpointNote(proof.checkpoint))?.checkpoint
  if (head === undefined || path === undefined || head.size !== proof.size)
    return { name: 'path', outcome: 'failed', reason: 'proofUnreadable' }
  return compare('path', [{ of: 'root', stated: encodeBase64(head.root), computed: encodeBase64(path.root) }])
}

async function checkpointStep(proof: ShownProof | null): Promise<Step> {
  if (proof === null) return { name: 'checkpoint', outcome: 'skipped', reason: 'notYetSigned' }
  if (pinnedKeys().length === 0) return { name: 'checkpoint', outcome: 'skipped', reason: 'noPinnedKey' }
  const signed = await findSigner(proof.checkpoint)
  if (signed === undefined) return { name: 'checkpoint', outcome: 'failed', reason: 'notSignedByPinned' }
  return {
    name: 'checkpoint',
    outcome: 'passed',
    reason: signed.by,
    compared: [{ of: 'pinnedKey', stated: signed.vkey, computed: signed.vkey }],
  }
}

/** The pinned key that signed a checkpoint, if any. */
export async function findSigner(
  note: string,
): Promise<{ readonly vkey: string; readonly by: string } | undefined> {
  const parsed = attempt(() => parseCheckpointNote(note))
  if (parsed === undefined) return undefined
  const { origin } = parsed.checkpoint
  for (const { vkey } of pinnedKeys()) {
    const publicKey = findKey(vkey)?.publicKey
    if (publicKey === undefined) continue
    // A log may continue under another origin with the same key.
    const keyId = noteKeyId(bundled, { kind: 'ed25519', name: origin, publicKey })
    for (const line of parsed.note.signatures) {
      if (line.name !== origin || !equalBytes(line.keyId, keyId)) continue
      const { isValid, by } = await verifyEd25519(line.signature, encodeUtf8(parsed.note.text), publicKey)
      if (isValid) return { vkey, by }
    }
  }
  return undefined
}

/** The steps, in display order. */
export type StepName = 'leaf' | 'groups' | 'hash' | 'path' | 'checkpoint' | 'deviceKey' | 'device' | 'base'

/** The outcome of a step, with the compared values. */
export interface Step {
  readonly name: StepName
  /** `skipped`: not present, or not disclosed. */
  readonly outcome: 'passed' | 'failed' | 'skipped'
  /** The name of a text with the reason. */
  readonly reason?: string
  readonly compared?: readonly Comparison[]
}

/** Two values that must be equal. */
export interface Comparison {
  readonly of: string
  readonly stated: string
  readonly computed: string
}

/** A step that passes when all pairs are equal. */
function compare(name: StepName, compared: readonly Comparison[], reason?: string): Step {
  const isEqual = compared.every(({ stated, computed }) => stated === computed)
  return {
    name,
    outcome: isEqual ? 'passed' : 'failed',
    compared,
    ...(reason === undefined ? {} : { reason }),
  }
}

/** Three steps: the key belongs to the device, the signature is valid, and the signed values match the groups. */
async function deviceSteps({ groups, withheld }: EntryAnswer): Promise<readonly Step[]> {
  const sig = membersOf(groups.sig)
  if (sig === undefined) {
    const reason = withheld.includes('sig') ? 'withheld' : 'noSignature'
    return [{ name: 'device', outcome: 'skipped', reason }]
  }
  const read = readSignature(sig)
  if (read === undefined) return [{ name: 'device', outcome: 'skipped', reason: 'noDeviceKey' }]
  const { base, signature, publicKey } = read
  const { isValid, by } = await verifyEd25519(signature, encodeUtf8(base), publicKey)
  return [
    compare('deviceKey', keyComparisons(sig, publicKey, membersOf(groups.sub))),
    { name: 'device', outcome: isValid ? 'passed' : 'failed', reason: isValid ? by : 'signatureWrong' },
    baseStep(base, membersOf(groups.core), membersOf(groups.pay)),
  ]
}

function membersOf(group: ShownGroup | undefined): FlatObject | undefined {
  return group === undefined ? undefined : attempt(() => parseGroup(encodeUtf8(group.value)))
}

/** `undefined` when the device key was not known. */
function readSignature({ base, signature, public_key: key }: FlatObject) {
  return attempt(() => ({
    base: String(base),
    signature: decodeBase64(String(signature)),
    publicKey: decodeBase64Url(typeof key === 'string' ? key : '='),
  }))
}

function keyComparisons(
  sig: FlatObject,
  publicKey: Uint8Array,
  sub: FlatObject | undefined,
): readonly Comparison[] {
  const computed = publicKey.length === 32 ? keyThumbprint(bundled, publicKey) : 'unreadable'
  const device = sub?.device
  return [
    { of: 'keyid', stated: String(sig.keyid), computed },
    ...(device === undefined ? [] : [{ of: 'device', stated: String(device), computed }]),
  ]
}

/** The signed components by name (RFC 9421, section 2.5). */
function componentsOf(base: string): ReadonlyMap<string, string> {
  const lines = base.split('\n').map((line) => /^"([^"]+)"[^:]*: (.*)$/.exec(line))
  return new Map(lines.flatMap((match) => (match === null ? [] : [[match[1] ?? '', match[2] ?? '']])))
}

function baseStep(base: string, core: FlatObject | undefined, pay: FlatObject | undefined): Step {
  const signed = componentsOf(base)
  const target = `${signed.get('@path') ?? ''}${(signed.get('@query') ?? '?').replace(/^\?$/, '')}`
  const pairs = [
    ['method', core?.method, signed.get('@method')],
    ['path', core?.path, signed.has('@path') ? target : signed.get('@request-target')],
    ['contentDigest', pay?.request_digest, signed.get('content-digest')],
  ] as const
  const compared = pairs.flatMap(([of, stated, computed]): Comparison[] => {
    return stated === undefined || computed === undefined ? [] : [{ of, stated: String(stated), computed }]
  })
  if (compared.length === 0) return { name: 'base', outcome: 'skipped', reason: 'noGroups' }
  return compare('base', compared)
}

/** A step of an audit path: the sibling and the resulting node hash. */
export interface TreeStep {
  readonly sibling: Uint8Array
  readonly isSiblingLeft: boolean
  readonly node: Uint8Array
}

export interface TreePath {
  readonly leaf: Uint8Array
  readonly steps: readonly TreeStep[]
  readonly root: Uint8Array
}

/** Computes the root (RFC 9162, section 2.1.3.2); `undefined` for a proof of the wrong length. */
async function computePath(
  leaf: Uint8Array,
  index: number,
  size: number,
  siblings: readonly Uint8Array[],
): Promise<TreePath | undefined> {
  if (!Number.isSafeInteger(size) || !Number.isSafeInteger(index) || index < 0 || index >= size)
    return undefined
  let [node, last, hash] = [index, size - 1, leaf]
  const steps: TreeStep[] = []
  for (const sibling of siblings) {
    if (last === 0 || sibling.length !== 32) return undefined
    const isSiblingLeft = node % 2 === 1 || node === last
    hash = await hashNode(isSiblingLeft ? [sibling, hash] : [hash, sibling])
    steps.push({ sibling, isSiblingLeft, node: hash })
    // Skip levels without a sibling at the right edge.
    while (isSiblingLeft && node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)]
    ;[node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
  }
  return last === 0 ? { leaf, steps, root: hash } : undefined
}

async function hashNode([left, right]: readonly [Uint8Array, Uint8Array]): Promise<Uint8Array> {
  return await sha256(concatBytes(Uint8Array.of(1), left, right))
}
