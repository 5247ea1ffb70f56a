/** From what is to be told to a leaf that can be staged: salted, committed, sealed, tagged. */
import type { LeafKind } from 'miniseal-protocol/tlog/audit-leaf'
import { encodeLeaf, type GroupLabel, groupText } from 'miniseal-protocol/tlog/audit-leaf'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import { randomBytes } from '../keys/sodium-primitives.ts'
import type { LeafResult, PendingEntry } from '../store/tlog-entries.ts'
import { areaOf, type BlindIndexOf, pathOf } from './blind-index.ts'
import type { Disclosures } from './disclosures.ts'
import { leafIdText } from './leaf-id.ts'
import type { Retention } from './retention.ts'
import { commitmentOf, type OpenedGroup, sealDetail } from './sealed-details.ts'
import type { SubjectKey } from './subject-keys.ts'
import { hashLeaf } from './tree.ts'

/** What one leaf is to say. */
export interface LogEntryInput {
  readonly kind: LeafKind
  readonly result: LeafResult
  /** Milliseconds since 1970. */
  readonly at: number
  readonly retention: Retention
  /** Of a refusal. */
  readonly code?: string | undefined
  readonly app?: string | undefined
  readonly groups?: Disclosures
  /** Public: of the system, never of a person. */
  readonly facts?: FlatObject
}

const saltLength = 32

/**
 * Makes the leaf of this id (16 bytes).
 *
 * @param subject whose key macs the groups; `undefined`: that person has been forgotten meanwhile, so the commitments
 *   stand and nobody will ever open them
 */
export function makeEntry(
  entryInput: LogEntryInput,
  id: Uint8Array,
  subject: SubjectKey | undefined,
  blindIndexOf: BlindIndexOf,
): PendingEntry {
  const { kind, result, at, retention, app, facts } = entryInput
  const opened = saltedDisclosures(entryInput.groups ?? {})
  const commitments = Object.fromEntries(
    [...opened].map(([label, group]) => [label, commitmentOf(label, group)]),
  )
  const leaf = encodeLeaf({
    id: leafIdText(id),
    kind,
    result,
    retention: retention.text,
    at,
    ...(app === undefined ? {} : { app }),
    ...(opened.size === 0 ? {} : { commitments }),
    ...(facts === undefined ? {} : { facts }),
  })
  return {
    id,
    hash: hashLeaf(leaf),
    leaf,
    at,
    kind,
    result,
    code: entryInput.code ?? null,
    app: app ?? null,
    ...blindIndexesOf(subject === undefined ? {} : (entryInput.groups ?? {}), blindIndexOf),
    detail: subject === undefined || opened.size === 0 ? null : sealDetail(opened, id, subject.key),
    detailExpiresAt: Math.floor(at / 1000) + retention.seconds,
  }
}

function saltedDisclosures(groups: Disclosures): ReadonlyMap<GroupLabel, OpenedGroup> {
  const labels = Object.keys(groups) as GroupLabel[]
  return new Map(
    labels.flatMap((label): [GroupLabel, OpenedGroup][] => {
      const group = groups[label]
      if (group === undefined) return []
      const salt = randomBytes(saltLength)
      return [[label, { salt, value: groupText(group) }]]
    }),
  )
}

type Tags = Pick<
  PendingEntry,
  'userBlindIndex' | 'deviceBlindIndex' | 'ipBlindIndex' | 'pathBlindIndex' | 'areaBlindIndex'
>

/** What the entry is found by is what its groups say, and nothing else. */
function blindIndexesOf({ core, net, sub }: Disclosures, blindIndexOf: BlindIndexOf): Tags {
  const tag = (name: Parameters<BlindIndexOf>[0], value: string | number | undefined): Uint8Array | null =>
    typeof value === 'string' ? blindIndexOf(name, value) : null
  const path = typeof core?.path === 'string' ? core.path : undefined
  return {
    userBlindIndex: tag('user', sub?.user),
    deviceBlindIndex: tag('device', sub?.device),
    ipBlindIndex: tag('ip', net?.ip),
    pathBlindIndex: tag('path', path === undefined ? undefined : pathOf(path)),
    areaBlindIndex: tag('area', path === undefined ? undefined : areaOf(path)),
  }
}
