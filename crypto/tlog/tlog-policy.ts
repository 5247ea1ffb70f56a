/**
 * Trust policies: trusted logs, and the witnesses that must cosign (C2SP tlog-policy; protocol, section 12).
 *
 * ```
 * log <verifier key> [<url>]
 * witness <name> <verifier key> [<url>]
 * group <name> all|any|<k> <name>…
 * quorum <name>|none
 * ```
 */

import { FormatError, LogError } from '../errors.ts'
import type { Primitives } from '../primitives/primitives.ts'
import { encodeHex, encodeUtf8 } from '../text.ts'
import type { VerifiedCheckpoint } from './checkpoint.ts'
import { verifyCheckpoint } from './checkpoint.ts'
import { cosignatureTime, noteVerifier } from './cosignature.ts'
import type { VerifierKey } from './signed-note.ts'
import { encodeVerifierKey, knownSignatures, parseVerifierKey } from './signed-note.ts'

/** Characters of a policy. */
const maxPolicyLength = 65536
/** Maximum number of logs, of witnesses, and of groups. */
const maxEach = 64

export interface PolicyLog {
  readonly key: VerifierKey
  readonly url?: string
}

export interface PolicyWitness {
  /** The name within the policy; the name of the key may differ. */
  readonly name: string
  readonly key: VerifierKey
  readonly url?: string
}

export interface PolicyGroup {
  readonly name: string
  /** The required number of members. */
  readonly threshold: number
  /** Names of witnesses, and of groups defined before this one. */
  readonly members: readonly string[]
}

export interface TlogPolicy {
  readonly logs: readonly PolicyLog[]
  readonly witnesses: readonly PolicyWitness[]
  readonly groups: readonly PolicyGroup[]
  /** A witness or a group; `undefined` when no cosignature is required. */
  readonly quorum: string | undefined
}

type Sha256 = Pick<Primitives, 'sha256'>

/** The canonical text of a policy, without comments. @throws FormatError for an invalid policy. */
export function encodePolicy(primitives: Sha256, policy: TlogPolicy): string {
  const urlOf = ({ url }: { readonly url?: string }): readonly string[] => (url === undefined ? [] : [url])
  const lines = [
    ...policy.logs.map((log) => ['log', encodeVerifierKey(primitives, log.key), ...urlOf(log)]),
    ...policy.witnesses.map((witness) => {
      return ['witness', witness.name, encodeVerifierKey(primitives, witness.key), ...urlOf(witness)]
    }),
    ...policy.groups.map((group) => ['group', group.name, ruleOf(group), ...group.members]),
    ['quorum', policy.quorum ?? 'none'],
  ]
  if (!lines.every((words) => words.every((word) => /^[^ \t\n]+$/.test(word))))
    throw new FormatError('a policy must consist of words')
  const text = lines.map((words) => `${words.join(' ')}\n`).join('')
  // The parser checks the rules.
  parsePolicy(primitives, text)
  return text
}

function ruleOf({ threshold, members }: PolicyGroup): string {
  if (threshold === members.length) return 'all'
  return threshold === 1 ? 'any' : `${threshold}`
}

/** A partly parsed policy. */
interface Draft {
  readonly logs: PolicyLog[]
  readonly witnesses: PolicyWitness[]
  readonly groups: PolicyGroup[]
  /** The names of witnesses and groups. */
  readonly names: Set<string>
  /** Names that are members of a group. Each may be in one group only. */
  readonly grouped: Set<string>
  readonly keys: Set<string>
  quorum: { readonly name: string | undefined } | undefined
}

/**
 * Parses a policy, which may contain comments and additional spaces.
 * @throws FormatError for a policy that the specification does not allow, or an unknown type of key.
 */
export function parsePolicy(primitives: Sha256, text: string): TlogPolicy {
  if (text.length > maxPolicyLength) throw new FormatError('the policy is too long')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: matches characters that a policy must not contain
  if (/[\0-\x08\x0b-\x1f\x7f]/.test(text))
    throw new FormatError('a policy must not contain control characters')
  if (!text.endsWith('\n')) throw new FormatError('a policy must end with a line feed')
  encodeUtf8(text)
  const draft: Draft = {
    logs: [],
    witnesses: [],
    groups: [],
    names: new Set(),
    grouped: new Set(),
    keys: new Set(),
    quorum: undefined,
  }
  for (const line of text.split('\n')) readLine(primitives, draft, line)
  const { logs, witnesses, groups, quorum } = draft
  if (quorum === undefined) throw new FormatError('a policy needs a quorum')
  if ([logs, witnesses, groups].some(({ length }) => length > maxEach))
    throw new FormatError('the policy has too many lines of one kind')
  return { logs, witnesses, groups, quorum: quorum.name }
}

function readLine(primitives: Sha256, draft: Draft, line: string): void {
  const [kind, ...words] = line.split(/[ \t]+/).filter((word) => word !== '')
  if (kind === undefined || kind.startsWith('#')) return
  if (kind === 'log') readLog(primitives, draft, words)
  else if (kind === 'witness') readWitness(primitives, draft, words)
  else if (kind === 'group') readGroup(draft, words)
  else if (kind === 'quorum') readQuorum(draft, words)
  else throw new FormatError('unknown line of a policy')
}

function readLog(primitives: Sha256, draft: Draft, [vkey = '', url, ...more]: readonly string[]): void {
  const key = parseVerifierKey(primitives, vkey)
  if (key.kind !== 'ed25519' || more.length > 0) throw new FormatError('invalid log of a policy')
  addKey(draft, 'log', key)
  draft.logs.push(url === undefined ? { key } : { key, url })
}

function readWitness(primitives: Sha256, draft: Draft, words: readonly string[]): void {
  const [name = '', vkey = '', url, ...more] = words
  const key = parseVerifierKey(primitives, vkey)
  if (key.kind !== 'cosignature' || more.length > 0) throw new FormatError('invalid witness of a policy')
  addName(draft, name)
  addKey(draft, 'witness', key)
  draft.witnesses.push(url === undefined ? { name, key } : { name, key, url })
}

function readGroup(draft: Draft, [name = '', rule = '', ...members]: readonly string[]): void {
  const count = members.length
  const threshold = rule === 'all' ? count : rule === 'any' ? 1 : Number(/^[1-9][0-9]{0,3}$/.exec(rule)?.[0])
  if (count === 0 || !(threshold <= count)) throw new FormatError('invalid group of a policy')
  for (const member of members) {
    if (!draft.names.has(member)) throw new FormatError('a member of a group must be defined before it')
    if (draft.grouped.has(member)) throw new FormatError('a name may be a member of one group only')
    draft.grouped.add(member)
  }
  addName(draft, name)
  draft.groups.push({ name, threshold, members })
}

function readQuorum(draft: Draft, [name = '', ...more]: readonly string[]): void {
  if (draft.quorum !== undefined || more.length > 0) throw new FormatError('a policy must have one quorum')
  if (name !== 'none' && !draft.names.has(name)) throw new FormatError('the quorum must be defined before it')
  draft.quorum = { name: name === 'none' ? undefined : name }
}

function addName({ names }: Draft, name: string): void {
  if (name === 'none' || names.has(name)) throw new FormatError('a name is repeated or reserved in a policy')
  names.add(name)
}

/** A key with two names would count twice. */
function addKey({ keys }: Draft, role: string, { publicKey }: VerifierKey): void {
  const name = `${role} ${encodeHex(publicKey)}`
  if (keys.has(name)) throw new FormatError('a key is repeated in a policy')
  keys.add(name)
}

/** A checkpoint that a policy accepts, and its verified cosignatures. */
export interface TrustedCheckpoint extends VerifiedCheckpoint {
  readonly cosignatures: readonly {
    /** The witness's name in the policy. */
    readonly witness: string
    /** UNIX seconds. */
    readonly time: number
  }[]
}

/**
 * Verifies that a checkpoint is signed by a log of the policy and cosigned by its quorum.
 *
 * @param note attacker-controlled
 * @throws LogError as `verifyCheckpoint`; `signature_wrong` also for a wrong cosignature of a known witness;
 *   `quorum_missing`
 */
export function verifyByPolicy(
  primitives: Pick<Primitives, 'sha256' | 'ed25519Verify'>,
  note: string,
  policy: TlogPolicy,
): TrustedCheckpoint {
  const noted = verifyCheckpoint(
    primitives,
    note,
    policy.logs.map(({ key }) => key),
  )
  const cosignatures: { readonly witness: string; readonly time: number }[] = []
  for (const { name, key } of policy.witnesses) {
    const [first] = knownSignatures(noted.note, [noteVerifier(primitives, key)])
    if (first !== undefined) cosignatures.push({ witness: name, time: cosignatureTime(first.signature) })
  }
  if (!hasQuorum(policy, new Set(cosignatures.map(({ witness }) => witness))))
    throw new LogError('quorum_missing', 'too few witnesses have cosigned')
  return { ...noted, cosignatures }
}

/** Whether these witnesses reach the quorum. */
export function hasQuorum({ groups, quorum }: TlogPolicy, cosigned: ReadonlySet<string>): boolean {
  const reached = new Set(cosigned)
  for (const { name, threshold, members } of groups)
    if (members.filter((member) => reached.has(member)).length >= threshold) reached.add(name)
  return quorum === undefined || reached.has(quorum)
}
