/**
 * Why a signed message does not verify: every check of every signature, the change that reconciles the signature with the
 * captured message, and the first byte that differs. For `miniseal explain` and the log of a backend.
 */
import { ProtocolError } from 'miniseal-protocol/errors'
import type { Field, RequestMessage } from 'miniseal-protocol/frames/binary-http'
import type { GatewaySignature } from 'miniseal-protocol/http-signatures/gateway-signature'
import { parseGatewaySignature } from 'miniseal-protocol/http-signatures/gateway-signature'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { Candidate, Change } from './candidate.ts'
import { baseOf, baseOrFault, firstField } from './candidate.ts'
import type { ReferenceTime, SignedMember } from './checks.ts'
import {
  attempt,
  checkCaller,
  checkDigest,
  checkForm,
  checkKey,
  checkToken,
  checkWindow,
  failed,
  findKey,
  findSignatures,
  isUsable,
  keyidOf,
  knownKey,
  passed,
  unknown,
} from './checks.ts'
import { fieldChanges } from './field-changes.ts'
import { isSecret, printable, redact } from './redaction.ts'
import type { Match } from './search.ts'
import { byDigest, bySignature, byText, search } from './search.ts'
import { targetChanges } from './target-changes.ts'
import type {
  Capture,
  Difference,
  ExplainOptions,
  Finding,
  KnownKey,
  OtherBase,
  Report,
  SignatureReport,
  Step,
} from './types.ts'

/** Explains an untrusted capture. `options.budget` bounds the time. */
export function explainCapture(capture: Capture, options: ExplainOptions): Report {
  const { request, response, problem } = capture
  const keys = [...options.keys, ...(request === undefined ? [] : sentKeys(request.message))]
  const findings: Finding[] = []
  const signatures: SignatureReport[] = []
  const explainFields = (fields: readonly Field[], isResponse: boolean): void => {
    const { members, fault } = findSignatures(fields, isResponse)
    if (fault !== undefined) findings.push({ id: 'signature-unreadable', detail: fault })
    else if (members.length === 0) findings.push(...unsignedFindings(fields, isResponse))
    const ordered = members.toSorted((a, b) => Number(a.kind === 'gateway') - Number(b.kind === 'gateway'))
    for (const member of ordered) signatures.push(explainSignature(member, capture, { ...options, keys }))
  }
  if (request !== undefined) explainFields(request.message.fields, false)
  const isSignedResponse = response?.fields.some(([name]) => name === 'signature-input') === true
  if (response !== undefined && (request === undefined || isSignedResponse))
    explainFields(response.fields, true)
  const hasFailed = signatures.some(({ steps }) => steps.some(({ outcome }) => outcome === 'failed'))
  const isGood = !hasFailed && findings.length === 0 && problem === undefined
  return { isGood, notes: capture.notes, findings, signatures, ...(problem === undefined ? {} : { problem }) }
}

function unsignedFindings(fields: readonly Field[], isResponse: boolean): readonly Finding[] {
  const value = (name: string): string => firstField(fields, name) ?? ''
  if (/^application\/vnd\.miniseal\b/i.test(value('content-type')))
    return [{ id: 'sealed-frame', detail: '' }]
  if (isResponse && value('content-type').startsWith('application/problem+json')) return []
  const present = ['signature', 'signature-input'].filter((name) => value(name) !== '')
  return [{ id: present.length === 0 ? 'not-signed' : 'half-signed', detail: present.join('') }]
}

/** Device keys in the request itself: of the gateway, or of a login. Untrusted; only compared. */
function sentKeys({ fields, content, path }: RequestMessage): readonly KnownKey[] {
  const field = firstField(fields, 'miniseal-device-key')
  const login = (): string | undefined =>
    /"x"\s*:\s*"([A-Za-z0-9_-]{43})"/.exec(Buffer.from(content.subarray(0, 10_000)).toString('latin1'))?.[1]
  const text = field ?? (path === '/sessions' ? login() : undefined)
  if (text === undefined || !/^[A-Za-z0-9_-]{43}$/.test(text)) return []
  return [knownKey(new Uint8Array(Buffer.from(text, 'base64url')), undefined, 'request')]
}

/** One signature and everything it is checked with. */
interface Case {
  readonly member: SignedMember
  readonly capture: Capture
  readonly options: ExplainOptions
  readonly candidate: Candidate
  readonly changes: readonly Change[]
  readonly keyid: string
}

function explainSignature(member: SignedMember, capture: Capture, options: ExplainOptions): SignatureReport {
  const given = caseOf(member, capture, options)
  const base = baseOf(given.candidate)
  const { step, other: signer } = checkSignature(given)
  const service = compareWithService(given, base)
  const other = signer ?? service?.other
  const difference = base === undefined || other === undefined ? undefined : differenceOf(base, other.base)
  return {
    kind: member.kind,
    label: printable(member.label),
    keyid: printable(given.keyid),
    steps: stepsOf(given, step),
    ...(base === undefined ? {} : { base: redact(base) }),
    ...(other === undefined ? {} : { other: { whose: other.whose, base: redact(other.base) } }),
    ...(difference === undefined ? {} : { difference }),
    ...(service === undefined ? {} : { service: service.findings }),
  }
}

function caseOf(member: SignedMember, capture: Capture, options: ExplainOptions): Case {
  const { request, response } = capture
  const host = request?.message.authority
  const authority = options.authority ?? host ?? ''
  const message = request === undefined ? undefined : { ...request.message, authority }
  const isResponse = member.kind === 'response'
  const candidate: Candidate = {
    input: member.input,
    request: message,
    response: isResponse ? response : undefined,
  }
  const lines: readonly Field[] = isResponse ? (response?.fields ?? []) : (request?.lines ?? [])
  const target =
    request === undefined || message === undefined
      ? []
      : targetChanges({ ...request, message }, host === authority ? undefined : host)
  const changes = [...target, ...fieldChanges(candidate, lines)]
  return { member, capture, options, candidate, changes, keyid: keyidOf(member.input) }
}

/** All checks, also after one that failed. */
function stepsOf({ member, capture, options, candidate, keyid }: Case, verified: Step): readonly Step[] {
  const { request } = candidate
  const message = candidate.response ?? request
  if (message === undefined) return []
  const at = referenceTime(capture, options)
  const { kind } = member
  const steps: Step[] = [
    checkForm(kind, candidate, options.keys),
    ...(kind === 'response' ? [] : [checkWindow(kind, member.input, at)]),
    checkDigest(message),
    checkKey(kind, options.keys, keyid),
    verified,
  ]
  if (kind === 'device' && request !== undefined) steps.push(checkToken(request, keyid, options.keys, at))
  const gateway = kind === 'gateway' ? gatewaySignatureOf(request) : undefined
  if (request !== undefined && gateway !== undefined) steps.push(checkCaller(request, gateway.caller))
  return steps
}

/** The gateway signs when a request arrives: after an explicit time, its time is the best reference. */
function referenceTime({ at, request }: Capture, options: ExplainOptions): ReferenceTime {
  const known = options.at ?? at ?? gatewaySignatureOf(request?.message)?.created
  return known === undefined ? { seconds: options.now, isKnown: false } : { seconds: known, isKnown: true }
}

/** `undefined` without a readable signature of the gateway. */
function gatewaySignatureOf(request: RequestMessage | undefined): GatewaySignature | undefined {
  const signature = request && attempt(() => parseGatewaySignature(request))
  return signature instanceof ProtocolError ? undefined : signature
}

interface Verdict {
  readonly step: Step
  readonly other?: OtherBase
}

const invalid = new ProtocolError('signature_invalid', 'the signature does not verify')

/** Verifies the signature over the base of the captured message, else searches the base that was signed. */
function checkSignature(given: Case): Verdict {
  const { member, options, candidate, changes, keyid } = given
  if (member.signature === undefined)
    return { step: unknown('verify', { id: 'no-signature-bytes', detail: '' }) }
  if (member.kind === 'response' && candidate.request === undefined)
    return { step: unknown('verify', { id: 'request-missing', detail: '' }) }
  const usable = options.keys.filter((key) => isUsable(key, member.kind))
  const named = findKey(usable, keyid)
  const keys = named === undefined ? usable : [named, ...usable.filter((key) => key !== named)]
  const made = baseOrFault(candidate)
  const fault = 'fault' in made ? ` (${made.fault})` : ''
  if (keys.length === 0) {
    const hasOthers = member.kind === 'device' && options.keys.length > 0
    const finding: Finding = hasOthers ? { id: 'no-device-key', detail: '' } : { id: 'no-key', detail: fault }
    return { step: unknown('verify', finding) }
  }
  const test = bySignature(member.signature, keys, named)
  if (options.signerBase !== undefined)
    return compareWithSigner(given, options.signerBase, bySignature(member.signature, keys))
  const match = search(candidate, changes, member.label, test, options.budget)
  if (match !== undefined) return verdictOf(match, named)
  const id = named === undefined ? 'unexplained-key' : 'unexplained'
  return { step: failed('verify', invalid, { id, detail: fault }) }
}

function verdictOf({ changes, base, key }: Match, named: KnownKey | undefined): Verdict {
  const otherKey: readonly Finding[] =
    key === undefined || key === named ? [] : [{ id: 'key-other', detail: printable(nameOf(key)) }]
  if (changes.length > 0)
    return {
      step: failed('verify', invalid, ...redacted(changes), ...otherKey),
      other: { whose: 'signer', base },
    }
  return { step: otherKey.length === 0 ? passed('verify') : failed('verify', invalid, ...otherKey) }
}

function nameOf({ publicKey, kid }: KnownKey): string {
  return `${kid} (x=${encodeBase64Url(publicKey).slice(0, 8)}…)`
}

/** The signer's own base decides whether the base differs or the key. */
function compareWithSigner(
  { candidate, changes, member, options }: Case,
  text: string,
  test: (bytes: Uint8Array) => unknown,
): Verdict {
  const isSigned = test(new Uint8Array(Buffer.from(text, 'utf8'))) !== undefined
  const other: OtherBase = { whose: 'signer', base: text }
  const own = baseOf(candidate)
  if (own === text)
    return {
      step: isSigned ? passed('verify') : failed('verify', invalid, { id: 'same-base', detail: '' }),
      other,
    }
  const match = search(candidate, changes, member.label, byText(text), options.budget)
  const component = differenceOf(own ?? '', text)?.component ?? ''
  const causes: readonly Finding[] =
    match === undefined ? [{ id: 'base-differs', detail: printable(component) }] : redacted(match.changes)
  const unsigned: readonly Finding[] = isSigned ? [] : [{ id: 'base-not-signed', detail: '' }]
  return { step: failed('verify', invalid, ...causes, ...unsigned), other }
}

/** What a development refusal discloses about the base that the service made. */
function compareWithService(
  { member, capture, options, candidate, changes }: Case,
  base: string | undefined,
): { readonly findings: readonly Finding[]; readonly other?: OtherBase } | undefined {
  const digest = options.baseSha256 ?? capture.problem?.baseSha256
  const isOther = member.kind === 'gateway' || member.kind === 'response'
  if (digest === undefined || base === undefined || isOther) return undefined
  const match = search(candidate, changes, member.label, byDigest(digest), options.budget)
  if (match === undefined) return { findings: lengthFindings(base, capture.problem?.baseLengths) }
  if (match.changes.length === 0) return { findings: [{ id: 'service-same', detail: '' }] }
  return { findings: redacted(match.changes), other: { whose: 'service', base: match.base } }
}

/** @param lengths the member `base_lengths` of the refusal; untrusted */
function lengthFindings(base: string, lengths: string | undefined): readonly Finding[] {
  const there = new Map(
    (lengths ?? '').split(' ').flatMap((part): (readonly [string, number])[] => {
      const [, name, digits] = /^(.{1,64})=([0-9]{1,6})$/.exec(part) ?? []
      return name === undefined ? [] : [[name, Number(digits)]]
    }),
  )
  if (there.size === 0) return [{ id: 'service-differs', detail: '' }]
  const here = new Map(
    base.split('\n').map((line) => {
      const end = line.indexOf('": ')
      return [line.slice(1, end), line.length - end - 3] as const
    }),
  )
  const names = [...new Set([...here.keys(), ...there.keys()])]
  const different = names.filter((name) => here.get(name) !== there.get(name))
  if (different.length === 0) return [{ id: 'service-same-lengths', detail: '' }]
  return different.map((name) => ({
    id: 'service-length',
    detail: `${printable(name)}: ${here.get(name) ?? '-'} / ${there.get(name) ?? '-'}`,
  }))
}

function redacted(findings: readonly Finding[]): readonly Finding[] {
  return findings.map(({ id, detail }) => ({
    id,
    detail: redact(detail.length > 300 ? `${detail.slice(0, 300)}…` : detail),
  }))
}

/** `undefined` for equal texts. Bytes of a secret are not included. */
function differenceOf(ours: string, theirs: string): Difference | undefined {
  if (ours === theirs) return undefined
  const one = Buffer.from(ours, 'utf8')
  const two = Buffer.from(theirs, 'utf8')
  let offset = 0
  while (offset < one.length && one[offset] === two[offset]) offset++
  const before = one.subarray(0, offset)
  const line = before.toString('latin1').split('\n').length
  const lineText = (text: string): string => text.split('\n')[line - 1] ?? ''
  const component = /^"([^"]{1,64})"/.exec(lineText(ours) || lineText(theirs))?.[1] ?? ''
  const bytes = isSecret(component)
    ? { ours: undefined, theirs: undefined }
    : { ours: one[offset], theirs: two[offset] }
  return { offset, line, column: offset - before.lastIndexOf(0x0a), component, ...bytes }
}
