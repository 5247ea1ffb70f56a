/** Whether a signature is over the base of the captured message, and if not, over which one. */
import { ProtocolError } from 'miniseal-protocol/errors'
import { encodeAscii } from 'miniseal-protocol/text'
import type { Capture } from './capture.ts'
import { differenceOf } from './difference.ts'
import type { Change, Material } from './material.ts'
import { baseFault, baseOf } from './material.ts'
import type { ExplainOptions } from './options.ts'
import type { KnownKey } from './public-keys.ts'
import { isUsable, nameOf } from './public-keys.ts'
import { printable } from './redaction.ts'
import type { Finding, OtherBase, Step } from './report.ts'
import type { Found } from './search.ts'
import { byDigest, bySignature, search } from './search.ts'
import { lengthFindings, shownDetail } from './service-base.ts'
import type { SignedMember } from './signed-members.ts'
import { failed, findKey, passed, unknown } from './single-checks.ts'

/** What one signature is judged with. */
export interface Case {
  readonly member: SignedMember
  readonly capture: Capture
  readonly options: ExplainOptions
  readonly material: Material
  readonly changes: readonly Change[]
  readonly keyid: string
}

/** What was found about the base. */
export interface Verdict {
  readonly step: Step
  readonly other?: OtherBase
}

/** The signature over the base, and over every base that may have been meant. */
export function checkBase(given: Case): Verdict {
  const { member, options, material, changes, keyid } = given
  const { signature } = member
  const error = new ProtocolError('signature_invalid', 'the signature does not verify')
  if (signature === undefined) return { step: unknown('verify', { id: 'no-signature-bytes', detail: '' }) }
  const usable = options.keys.filter((key) => isUsable(key, member.kind))
  const named = findKey(usable, keyid)
  const keys = named === undefined ? usable : [named, ...usable.filter((key) => key !== named)]
  if (member.kind === 'response' && material.request === undefined)
    return { step: unknown('verify', { id: 'request-missing', detail: '' }) }
  if (keys.length === 0 && member.kind === 'device' && options.keys.length > 0)
    return { step: unknown('verify', { id: 'no-device-key', detail: '' }) }
  if (keys.length === 0) return { step: unknown('verify', { id: 'no-key', detail: faultOf(material) }) }
  const text = options.signerBase
  if (text !== undefined) return withSignerBase(given, text, signature, keys, error)
  const found = search(material, changes, member.label, bySignature(signature, keys, named), options.budget)
  if (found !== undefined) return verdictOf(found, named, error)
  const id = named === undefined ? 'unexplained-key' : 'unexplained'
  return { step: failed('verify', error, { id, detail: faultOf(material) }) }
}

/** In brackets, why there is no base at all; mostly nothing. */
function faultOf(material: Material): string {
  const fault = baseFault(material)
  return fault === '' ? '' : ` (${fault})`
}

function verdictOf(
  { changes, base, key }: Found,
  named: KnownKey | undefined,
  error: ProtocolError,
): Verdict {
  const isNamed = key === undefined || key === named
  const otherKey: readonly Finding[] =
    isNamed || key === undefined ? [] : [{ id: 'key-other', detail: printable(nameOf(key)) }]
  if (changes.length === 0) {
    return isNamed ? { step: passed('verify') } : { step: failed('verify', error, ...otherKey) }
  }
  const findings = changes.map(({ id, detail }) => ({ id, detail: shownDetail(detail) }))
  return { step: failed('verify', error, ...findings, ...otherKey), other: { whose: 'signer', base } }
}

/** The signer's own text settles whether the base differs or the key does. */
function withSignerBase(
  { material, changes, member, options }: Case,
  text: string,
  signature: Uint8Array,
  keys: readonly KnownKey[],
  error: ProtocolError,
): Verdict {
  const isAscii = /^[\t\n\r\x20-\x7e]*$/.test(text)
  const bytes = isAscii ? encodeAscii(text) : new Uint8Array(Buffer.from(text, 'utf8'))
  const key = bySignature(signature, keys)(bytes)
  const other: OtherBase = { whose: 'signer', base: text }
  const ours = baseOf(material)
  if (ours === text) {
    return key === undefined
      ? { step: failed('verify', error, { id: 'same-base', detail: '' }), other }
      : { step: passed('verify'), other }
  }
  const found = search(material, changes, member.label, byText(text), {
    ...options.budget,
    tries: options.budget.tries,
  })
  const component = differenceOf(ours ?? '', text)?.component ?? ''
  const causes: readonly Finding[] =
    found === undefined
      ? [{ id: 'base-differs', detail: printable(component) }]
      : found.changes.map(({ id, detail }) => ({ id, detail: shownDetail(detail) }))
  const unsigned: readonly Finding[] = key === undefined ? [{ id: 'base-not-signed', detail: '' }] : []
  return { step: failed('verify', error, ...causes, ...unsigned), other }
}

function byText(text: string): (bytes: Uint8Array) => true | undefined {
  const wanted = Buffer.from(text, 'utf8')
  return (bytes) => (Buffer.compare(wanted, bytes) === 0 ? true : undefined)
}

/** What a development refusal says about the base that the service computed. */
export function serviceVerdict(
  { member, capture, options, material, changes }: Case,
  base: string | undefined,
): { readonly findings: readonly Finding[]; readonly other?: OtherBase } | undefined {
  const digest = options.baseSha256 ?? capture.problem?.baseSha256
  if (digest === undefined || base === undefined || member.kind === 'gateway' || member.kind === 'response')
    return undefined
  const found = search(material, changes, member.label, byDigest(digest), options.budget)
  if (found === undefined) return { findings: lengthFindings(base, capture.problem?.baseLengths) }
  if (found.changes.length === 0) return { findings: [{ id: 'service-same', detail: '' }] }
  const findings = found.changes.map(({ id, detail }) => ({ id, detail: shownDetail(detail) }))
  return { findings, other: { whose: 'service', base: found.base } }
}
