/** Makes the evidence bundle of one entry: the chosen disclosures and the proofs. */

import { decodeBase64, decodeBase64Url, encodeBase64, encodeUtf8 } from 'miniseal-protocol/text'
import type { GroupLabel } from 'miniseal-protocol/tlog/audit-leaf'
import { parseGroup, parseLeaf } from 'miniseal-protocol/tlog/audit-leaf'
import { parseCheckpointNote } from 'miniseal-protocol/tlog/checkpoint'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import type { SignedNote, VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import type { PolicyWitness } from 'miniseal-protocol/tlog/tlog-policy'
import { encodePolicy } from 'miniseal-protocol/tlog/tlog-policy'
import type { TlogProof } from 'miniseal-protocol/tlog/tlog-proof'
import { encodeTlogProof } from 'miniseal-protocol/tlog/tlog-proof'
import { sodiumPrimitives } from '../../keys/sodium-primitives.ts'
import type { Store } from '../../store/store.ts'
import type { LogEntry } from '../../store/tlog-entries.ts'
import type { LogSearch } from '../../store/tlog-search.ts'
import { verifyNoteSignatures } from '../checkpoint.ts'
import type { LogReader } from '../reader.ts'
import type { OpenedGroup, OpenedGroups } from '../sealed-details.ts'
import { openGroups } from '../sealed-details.ts'
import type { FindSubjectKey } from '../subject-keys.ts'
import type { BundleFiles } from './bundle.ts'
import { committedBytes, publicKeyPem, writeBundle } from './bundle.ts'
import { evidenceReadme } from './readme.ts'

/** No evidence can be made; the message is for the auditor. */
export class EvidenceRefused extends Error {}

export interface EvidenceSources {
  readonly store: Pick<Store, 'searchLog'>
  readonly reader: LogReader
  readonly findKey: FindSubjectKey
  /** Of the log of this origin. */
  readonly logKeys: (origin: string) => readonly VerifierKey[]
  /** Those that the service asks to cosign. */
  readonly witnesses: readonly PolicyWitness[]
  /** Public keys of the service, by kind: b64u. */
  readonly serviceKeys: Readonly<Record<string, readonly string[]>>
}

export interface EvidenceChoice {
  readonly groups: readonly GroupLabel[]
  /** The request's body, if available. */
  readonly body: Uint8Array | undefined
}

/**
 * @returns the archive
 * @throws EvidenceRefused where the entry has no checkpoint yet, or a chosen group is not there to be opened.
 */
export async function makeEvidence(
  sources: EvidenceSources,
  entry: LogEntry,
  { groups, body }: EvidenceChoice,
): Promise<Uint8Array> {
  const opened = await openGroups(entry, sources.findKey)
  const chosen = choose(opened, groups)
  const proof = await proofOf(sources, entry)
  const { checkpoint, note } = parseCheckpointNote(proof.checkpoint)
  const logKeys = sources.logKeys(checkpoint.origin)
  const files = new Map<string, Uint8Array>([
    ...(await entryFiles('', entry, proof, chosen)),
    ...checkpointFiles(note, logKeys),
    ...signatureFiles(chosen),
    ...(await enrolmentFiles(sources, entry, opened, chosen)),
    ['keys/service.json', encodeUtf8(`${JSON.stringify(sources.serviceKeys, null, 2)}\n`)],
    ['policy.txt', encodeUtf8(policyOf(logKeys, sources.witnesses))],
    ...(body === undefined ? [] : [['body.bin', body] as [string, Uint8Array]]),
  ])
  const { id } = parseLeaf(entry.leaf)
  for (const [name, text] of evidenceReadme([...chosen.keys()], files.has('signature.bin'))) {
    files.set(name, encodeUtf8(text))
  }
  return writeBundle(files, { id, origin: checkpoint.origin, groups: [...chosen.keys()] })
}

function choose(opened: OpenedGroups, labels: readonly string[]): OpenedGroups {
  return new Map(
    labels.map((label): [string, OpenedGroup] => {
      const group = opened.get(label)
      if (group === undefined) {
        throw new EvidenceRefused(
          opened.size === 0
            ? 'what the entry is about is erased, or over its time: only --groups "" is left to prove'
            : `the entry has no group ${label}: it has ${[...opened.keys()].join(', ')}`,
        )
      }
      return [label, group]
    }),
  )
}

/** For other tools: what was signed, one signature, and its key. */
function checkpointFiles(note: SignedNote, logKeys: readonly VerifierKey[]): readonly [string, Uint8Array][] {
  const [first] = verifyNoteSignatures(note, logKeys).good
  if (first === undefined) throw new EvidenceRefused('the checkpoint is not signed by a key of this service')
  return [
    ['checkpoint.txt', encodeUtf8(note.text)],
    ['checkpoint.sig', first.signature],
    ['keys/log.pem', publicKeyPem(first.key.publicKey)],
  ]
}

function policyOf(logKeys: readonly VerifierKey[], witnesses: readonly PolicyWitness[]): string {
  const logs = logKeys.map((key) => ({ key }))
  const named = witnesses.map(({ name, key }) => ({ name, key }))
  return encodePolicy(sodiumPrimitives, { logs, witnesses: named, groups: [], quorum: undefined })
}

async function proofOf({ reader }: EvidenceSources, { globalIndex }: LogEntry): Promise<TlogProof> {
  const proof = await reader.inclusion(globalIndex)
  if (proof === undefined)
    throw new EvidenceRefused('no checkpoint covers the entry yet: retry in a few seconds')
  return proof
}

/** @param folder empty, or a name with its slash */
async function entryFiles(
  folder: string,
  { leaf }: LogEntry,
  proof: TlogProof,
  groups: OpenedGroups,
): Promise<readonly [string, Uint8Array][]> {
  return [
    [`${folder}leaf.json`, leaf],
    [`${folder}leaf.tlog-proof`, encodeUtf8(encodeTlogProof(proof))],
    ...[...groups].flatMap(([label, { salt, value }]): [string, Uint8Array][] => [
      [
        `${folder}groups/${label}.json`,
        encodeUtf8(`${JSON.stringify({ salt: encodeBase64(salt), value })}\n`),
      ],
      [`${folder}groups/${label}.bin`, committedBytes(label, salt, value)],
    ]),
  ]
}

function membersOf(groups: OpenedGroups, label: string): FlatObject {
  const group = groups.get(label)
  return group === undefined ? {} : parseGroup(encodeUtf8(group.value))
}

/** What the device signed, for other tools. */
function signatureFiles(chosen: OpenedGroups): readonly [string, Uint8Array][] {
  const { base, signature, public_key: publicKey } = membersOf(chosen, 'sig')
  if (typeof base !== 'string' || typeof signature !== 'string' || typeof publicKey !== 'string') return []
  return [
    ['signature-base.txt', encodeUtf8(base)],
    ['signature.bin', decodeBase64(signature)],
    ['device-key.pem', publicKeyPem(decodeBase64Url(publicKey))],
  ]
}

/**
 * The oldest entry that enrolled the device. Only if the chosen groups disclose device and user anyway, and only for the
 * same user, so that nothing about others is disclosed.
 */
async function enrolmentFiles(
  sources: EvidenceSources,
  entry: LogEntry,
  opened: OpenedGroups,
  chosen: OpenedGroups,
): Promise<BundleFiles> {
  const { user, device } = membersOf(chosen, 'sub')
  if (entry.deviceBlindIndex === null || user === undefined || device === undefined) return new Map()
  for (const kind of ['device-added', 'login']) {
    const search: LogSearch = { kind, deviceBlindIndex: entry.deviceBlindIndex }
    const found = await sources.store.searchLog(search, entry.globalIndex, 1)
    const [enrolment] = found
    if (enrolment === undefined) continue
    const groups = await openGroups(enrolment, sources.findKey)
    const sub = membersOf(groups, 'sub')
    if (sub.user !== user || sub.device !== device || membersOf(opened, 'sub').user !== user) continue
    const shown = new Map([...groups].filter(([label]) => label === 'sub'))
    return new Map(await entryFiles('enrolment/', enrolment, await proofOf(sources, enrolment), shown))
  }
  return new Map()
}
