/** The device's signature over the request, and that it is over this request. */

import { keyThumbprint } from 'miniseal-protocol/primitives/thumbprint'
import { decodeBase64, decodeBase64Url, encodeUtf8 } from 'miniseal-protocol/text'
import { parseGroup } from 'miniseal-protocol/tlog/audit-leaf'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import type { EntryAnswer, ShownGroup } from '../api/answers.ts'
import { bundled, verifyEd25519 } from './digests.ts'
import { type Comparison, compare, type Step } from './verification-steps.ts'

/** Three steps: the key is the device's, the signature is right, what is signed is what the groups say. */
export async function deviceSteps({ groups, withheld }: EntryAnswer): Promise<readonly Step[]> {
  const sig = membersOf(groups.sig)
  if (sig === undefined) {
    const because = withheld.includes('sig') ? 'withheld' : 'noSignature'
    return [{ name: 'device', outcome: 'skipped', because }]
  }
  const read = readSignature(sig)
  if (read === undefined) return [{ name: 'device', outcome: 'skipped', because: 'noDeviceKey' }]
  const { base, signature, publicKey } = read
  const { isRight, by } = await verifyEd25519(signature, encodeUtf8(base), publicKey)
  return [
    compare('deviceKey', keyComparisons(sig, publicKey, membersOf(groups.sub))),
    { name: 'device', outcome: isRight ? 'good' : 'bad', because: isRight ? by : 'signatureWrong' },
    baseStep(base, membersOf(groups.core), membersOf(groups.pay)),
  ]
}

function membersOf(group: ShownGroup | undefined): FlatObject | undefined {
  try {
    return group === undefined ? undefined : parseGroup(encodeUtf8(group.value))
  } catch {
    return undefined
  }
}

/** `undefined` where the service found no key to verify with. */
function readSignature({ base, signature, public_key: key }: FlatObject) {
  try {
    return {
      base: String(base),
      signature: decodeBase64(String(signature)),
      publicKey: decodeBase64Url(typeof key === 'string' ? key : '='),
    }
  } catch {
    return undefined
  }
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

/** The components that were signed (RFC 9421, section 2.5), by their names. */
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
  if (compared.length === 0) return { name: 'base', outcome: 'skipped', because: 'noGroups' }
  return compare('base', compared)
}
