/** Whose signatures a checkpoint needs (C2SP tlog-policy): a log, its witnesses, and how many of them. */
import { FormatError } from '../../../crypto/errors.ts'
import type { VerifierKey } from '../../../crypto/signed-note.ts'
import { encodeVerifierKey, parseVerifierKey } from '../../../crypto/signed-note.ts'
import { sodiumPrimitives } from '../../keys/sodium-primitives.ts'

export interface Policy {
  readonly logs: readonly VerifierKey[]
  readonly witnesses: ReadonlyMap<string, VerifierKey>
  readonly groups: ReadonlyMap<string, WitnessGroup>
  /** A witness or a group; `undefined`: none is asked for. */
  readonly quorum: string | undefined
}

interface WitnessGroup {
  readonly threshold: number
  readonly members: readonly string[]
}

/** The file of a policy that asks for the log's own signature alone. */
export function encodePolicy(logs: readonly VerifierKey[]): string {
  return `${logs.map((key) => `log ${encodeVerifierKey(sodiumPrimitives, key)}\n`).join('')}quorum none\n`
}

/** A policy while it is read. */
class PolicyDraft {
  readonly logs: VerifierKey[] = []
  readonly witnesses = new Map<string, VerifierKey>()
  readonly groups = new Map<string, WitnessGroup>()
  quorum: string | undefined

  take([kind = '', name = '', ...rest]: readonly string[]): void {
    if (kind === 'log') this.logs.push(parseVerifierKey(sodiumPrimitives, name))
    else if (kind === 'quorum' && this.quorum === undefined && (name === 'none' || this.has(name))) {
      this.quorum = name
    } else if (name === 'none' || this.has(name)) throw new FormatError('a name that is taken, or unknown')
    else if (kind === 'witness') this.witnesses.set(name, parseVerifierKey(sodiumPrimitives, rest[0] ?? ''))
    else if (kind === 'group')
      this.groups.set(
        name,
        parseGroup(rest, (member) => this.has(member)),
      )
    else throw new FormatError('not a line of a policy')
  }

  has(name: string): boolean {
    return this.witnesses.has(name) || this.groups.has(name)
  }
}

/** @throws FormatError for a line that is none, a name that is not there yet, or a policy without a log or a quorum. */
export function parsePolicy(text: string): Policy {
  const draft = new PolicyDraft()
  for (const line of text.split('\n')) {
    const words = line
      .replace(/#.*/, '')
      .trim()
      .split(/[ \t]+/)
    if (words[0] !== '') draft.take(words)
  }
  const { logs, witnesses, groups, quorum } = draft
  if (logs.length === 0 || quorum === undefined) throw new FormatError('a policy has a log and a quorum')
  return { logs, witnesses, groups, quorum: quorum === 'none' ? undefined : quorum }
}

function parseGroup(
  [word = '', ...members]: readonly string[],
  isKnown: (name: string) => boolean,
): WitnessGroup {
  const threshold = word === 'all' ? members.length : word === 'any' ? 1 : Number(word)
  const isPossible = Number.isInteger(threshold) && threshold >= 1 && threshold <= members.length
  if (!isPossible || !members.every(isKnown)) throw new FormatError('not a group of witnesses')
  return { threshold, members }
}

/** Whether the keys that signed are as many as the policy asks for. */
export function meetsQuorum(policy: Policy, signed: readonly VerifierKey[]): boolean {
  const meets = (name: string): boolean => {
    const witness = policy.witnesses.get(name)
    if (witness !== undefined) return signed.includes(witness)
    const group = policy.groups.get(name)
    return group !== undefined && group.members.filter(meets).length >= group.threshold
  }
  return policy.quorum === undefined || meets(policy.quorum)
}
