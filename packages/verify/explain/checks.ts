/** The checks of one signature, in the order of the service, each with its likely causes. */
import { FormatError, ProtocolError } from 'miniseal-protocol/errors'
import type { Field, RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { assertContentDigest } from 'miniseal-protocol/http-signatures/content-digest'
import type { CallerClaims } from 'miniseal-protocol/http-signatures/gateway-signature'
import { parseGatewaySignature } from 'miniseal-protocol/http-signatures/gateway-signature'
import { tagOf } from 'miniseal-protocol/http-signatures/signature-profile'
import {
  assertInWindow,
  parsePushSignature,
  parseRequestSignature,
} from 'miniseal-protocol/http-signatures/signed-request'
import { verifyResponse } from 'miniseal-protocol/http-signatures/signed-response'
import type { Dictionary, InnerList } from 'miniseal-protocol/http-signatures/structured-fields'
import { parseDictionary } from 'miniseal-protocol/http-signatures/structured-fields'
import { signatureTags } from 'miniseal-protocol/primitives/suite'
import { keyThumbprint } from 'miniseal-protocol/primitives/thumbprint'
import type { KeyUse } from '../keys.ts'
import { nodePrimitives } from '../primitives.ts'
import type { ParsedToken } from '../token.ts'
import { parseToken } from '../token.ts'
import { gatewayWindow, serviceWindow } from '../windows.ts'
import { bodyForms } from './body-forms.ts'
import type { Candidate } from './candidate.ts'
import { baseOrFault, firstField } from './candidate.ts'
import { digestOf, printable } from './redaction.ts'
import type { Finding, FindingId, KnownKey, SignatureKind, Step, StepName } from './types.ts'

/** One member of `signature-input`, and its counterpart. */
export interface SignedMember {
  readonly kind: SignatureKind
  readonly label: string
  readonly input: InnerList
  /** 64 bytes; `undefined` when `signature` has no such member. */
  readonly signature: Uint8Array | undefined
}

const kindOfTag: ReadonlyMap<string, SignatureKind> = new Map([
  [signatureTags.request, 'device'],
  [signatureTags.gateway, 'gateway'],
  [signatureTags.push, 'push'],
  [signatureTags.response, 'response'],
])

/** A signature with a wrong tag, or none, is recognised by its label. */
const kindOfLabel: ReadonlyMap<string, SignatureKind> = new Map([
  ['sig', 'device'],
  ['gateway', 'gateway'],
  ['push', 'push'],
])

/**
 * The signatures of an untrusted message, parsed as leniently as possible, so that the checks can report their defects.
 *
 * @returns with `fault`, the field that cannot be parsed and the reason
 */
export function findSignatures(
  fields: readonly Field[],
  isResponse: boolean,
): { readonly members: readonly SignedMember[]; readonly fault?: string } {
  const read = (name: string): Dictionary | string => {
    try {
      return parseDictionary(firstField(fields, name) ?? '')
    } catch (error) {
      if (error instanceof FormatError) return `${name}: ${error.message}`
      throw error
    }
  }
  const inputs = read('signature-input')
  const signatures = read('signature')
  if (typeof inputs === 'string') return { members: [], fault: inputs }
  if (typeof signatures === 'string') return { members: [], fault: signatures }
  const members = [...inputs].flatMap(([label, input]): SignedMember[] => {
    if (input.kind !== 'inner-list') return []
    const byLabel = isResponse && label === 'sig' ? 'response' : kindOfLabel.get(label)
    const kind = kindOfTag.get(tagOf(input) ?? '') ?? byLabel
    if (kind === undefined || (kind === 'response') !== isResponse) return []
    return [{ kind, label, input, signature: bytesOf(signatures, label) }]
  })
  return { members }
}

function bytesOf(signatures: Dictionary, label: string): Uint8Array | undefined {
  const member = signatures.get(label)
  if (member?.kind !== 'item' || member.value.kind !== 'bytes') return undefined
  return member.value.value.length === 64 ? member.value.value : undefined
}

export function keyidOf({ params }: InnerList): string {
  const keyid = params.get('keyid')
  return keyid?.kind === 'string' ? keyid.value : ''
}

export function passed(name: StepName, detail = ''): Step {
  return { name, outcome: 'ok', detail, findings: [] }
}

export function unknown(name: StepName, ...findings: readonly Finding[]): Step {
  return { name, outcome: 'unknown', detail: '', findings }
}

/** @param error as the service throws it */
export function failed(name: StepName, error: ProtocolError, ...findings: readonly Finding[]): Step {
  return { name, outcome: 'failed', code: error.code, detail: printable(error.message), findings }
}

/** The result of a check, or its refusal. */
export function attempt<T>(check: () => T): T | ProtocolError {
  try {
    return check()
  } catch (error) {
    if (error instanceof ProtocolError) return error
    throw error
  }
}

/** @param publicKey 32 bytes */
export function knownKey(
  publicKey: Uint8Array,
  kid: string | undefined,
  source: KnownKey['source'],
  use?: KeyUse,
): KnownKey {
  const thumbprint = keyThumbprint(nodePrimitives, publicKey)
  return { publicKey, thumbprint, kid: kid ?? thumbprint, source, use }
}

/** Whether a key may verify a signature of this kind. A key with a `miniseal_use` serves that use alone. */
export function isUsable({ source, use }: KnownKey, kind: SignatureKind | 'token'): boolean {
  if (kind === 'device' || kind === 'push') return use === undefined
  if (source === 'request') return false
  return use === undefined || use === (kind === 'token' ? 'token' : 'message')
}

/** The key of this name, by its thumbprint or its `kid`. */
export function findKey(keys: readonly KnownKey[], keyid: string): KnownKey | undefined {
  return keys.find(({ thumbprint, kid }) => thumbprint === keyid || kid === keyid)
}

/** Form, tag, parameters and coverage, by the parsers of the service. */
export function checkForm(kind: SignatureKind, candidate: Candidate, keys: readonly KnownKey[]): Step {
  const { request, response } = candidate
  const parse = { device: parseRequestSignature, gateway: parseGatewaySignature, push: parsePushSignature }
  if (request === undefined)
    return kind === 'response'
      ? unknown('signature', { id: 'request-missing', detail: '' })
      : unknown('signature')
  if (kind !== 'response') {
    const outcome = attempt(() => parse[kind](request))
    return outcome instanceof ProtocolError
      ? failed('signature', outcome, ...formFindings(outcome, candidate))
      : passed('signature')
  }
  if (response === undefined) return unknown('signature')
  const usable = keys.filter((key) => isUsable(key, 'response'))
  const outcome = attempt(() => verifyResponse(nodePrimitives, response, request, usable))
  const isLater =
    outcome instanceof ProtocolError &&
    ['digest_mismatch', 'key_unknown', 'signature_invalid'].includes(outcome.code)
  if (!(outcome instanceof ProtocolError) || isLater) return passed('signature')
  return failed('signature', outcome, ...formFindings(outcome, candidate))
}

function formFindings(error: ProtocolError, candidate: Candidate): readonly Finding[] {
  if (error.code !== 'components_incomplete') return []
  const made = baseOrFault(candidate)
  // The coverage is right, and the refusal names the invalid value.
  if ('fault' in made && error.message === made.fault) return []
  const { items } = candidate.input
  const names = items.map(({ value }) => (value.kind === 'string' ? value.value : '?'))
  const fields = (candidate.response ?? candidate.request)?.fields ?? []
  const absent = items.flatMap(({ value, params }) => {
    if (value.kind !== 'string' || value.value.startsWith('@') || params.size > 0) return []
    return fields.some(([name]) => name === value.value) ? [] : [value.value]
  })
  if (absent.length > 0) return [{ id: 'component-gone', detail: printable(absent.join(' ')) }]
  return [{ id: 'coverage', detail: printable(names.join(' ')) }]
}

/** A time, and whether it is that of the capture or only the clock of this machine. */
export interface ReferenceTime {
  readonly seconds: number
  readonly isKnown: boolean
}

const windows = { device: serviceWindow, push: serviceWindow, gateway: gatewayWindow } as const

export function checkWindow(
  kind: keyof typeof windows,
  { params }: InnerList,
  { seconds, isKnown }: ReferenceTime,
): Step {
  const created = params.get('created')
  if (created?.kind !== 'integer') return unknown('window')
  const age = seconds - created.value
  const error = attempt(() => assertInWindow({ created: created.value }, seconds, windows[kind]))
  if (!(error instanceof ProtocolError)) return passed('window', `${age} s`)
  if (created.value > 100_000_000_000)
    return failed('window', error, { id: 'created-milliseconds', detail: String(created.value) })
  if (age < 0) return failed('window', error, { id: 'clock-ahead', detail: String(-age) })
  if (!isKnown) return unknown('window', { id: 'age-unknown', detail: String(age) })
  return failed('window', error, { id: 'clock-behind', detail: String(age) })
}

export function checkDigest({ fields, content }: RequestMessage | ResponseMessage): Step {
  const hasDigest = fields.some(([name]) => name === 'content-digest')
  const outcome = attempt(() => assertContentDigest(nodePrimitives, { fields, content }))
  if (!(outcome instanceof ProtocolError)) return passed('digest', hasDigest ? `${content.length} B` : '')
  const form = bodyForms(content).find(({ bytes }) => {
    const other = attempt(() => assertContentDigest(nodePrimitives, { fields, content: bytes }))
    return !(other instanceof ProtocolError)
  })
  const id: FindingId =
    form !== undefined ? `body-${form.id}` : content.length === 0 ? 'body-gone' : 'body-other'
  return failed('digest', outcome, { id, detail: String(content.length) })
}

export function checkKey(kind: SignatureKind, keys: readonly KnownKey[], keyid: string): Step {
  if (keyid === '') return unknown('key')
  const error = new ProtocolError('key_unknown', 'no known key has this name')
  const usable = keys.filter((key) => isUsable(key, kind))
  if (findKey(usable, keyid) !== undefined) return passed('key', printable(keyid))
  if (findKey(keys, keyid)?.use !== undefined)
    return failed('key', error, { id: 'key-purpose', detail: printable(keyid) })
  const sent = keys.find(({ source }) => source === 'request')
  if (kind === 'device' && sent !== undefined)
    return failed('key', error, { id: 'device-key-other', detail: sent.thumbprint })
  if (usable.length === 0)
    return unknown('key', { id: kind === 'device' ? 'no-device-key' : 'no-service-key', detail: '' })
  const names = usable.slice(0, 8).map(({ kid }) => printable(kid))
  return failed('key', error, { id: 'key-not-named', detail: names.join(', ') })
}

/** @param keyid of the device's signature */
export function checkToken(
  { method, path, authority, fields }: RequestMessage,
  keyid: string,
  keys: readonly KnownKey[],
  at: ReferenceTime,
): Step {
  const field = firstField(fields, 'authorization')
  if (field === undefined && method === 'POST' && path === '/sessions') return passed('token')
  const token = attempt(() => parseToken(field))
  const shown = digestOf((field ?? '').replace(/^\S{1,32}\s+/, ''))
  if (token instanceof ProtocolError) {
    const finding: Finding =
      field === undefined ? { id: 'token-gone', detail: '' } : { id: 'token-unreadable', detail: shown }
    return failed('token', token, finding)
  }
  const isRenewal = method === 'POST' && path === '/sessions/current/token'
  return (
    bindingFault(token, keyid, authority) ??
    (isRenewal ? undefined : expiry(token, at)) ??
    tokenSignature(token, keys, shown)
  )
}

function bindingFault(
  { issuer, audience, subject }: ParsedToken,
  keyid: string,
  authority: string,
): Step | undefined {
  if (audience !== issuer || issuer.replace(/^https?:\/\//, '') !== authority) {
    const error = new ProtocolError('token_invalid', 'the access token belongs to another service')
    return failed('token', error, { id: 'token-of-other-service', detail: printable(issuer) })
  }
  if (subject.device === keyid) return undefined
  const error = new ProtocolError('token_key_mismatch', 'the access token belongs to another key')
  return failed('token', error, { id: 'token-of-other-key', detail: printable(subject.device.slice(0, 43)) })
}

function expiry({ expires }: ParsedToken, at: ReferenceTime): Step | undefined {
  const late = at.seconds - expires
  if (late < 0) return undefined
  const finding: Finding = { id: 'token-late', detail: String(late) }
  const error = new ProtocolError('token_expired', 'the access token has expired')
  return at.isKnown ? failed('token', error, finding) : unknown('token', finding)
}

function tokenSignature(
  { kid, signature, signed }: ParsedToken,
  keys: readonly KnownKey[],
  shown: string,
): Step {
  const key = keys.find((each) => each.kid === kid && isUsable(each, 'token'))
  if (key === undefined) return unknown('token', { id: 'token-key-missing', detail: kid.slice(0, 64) })
  if (nodePrimitives.ed25519Verify(signature, signed, key.publicKey)) return passed('token', shown)
  const error = new ProtocolError('token_invalid', 'the signature of the access token does not verify')
  return failed('token', error, { id: 'token-forged', detail: shown })
}

/** Whether `miniseal-caller` names the subject of the token. */
export function checkCaller({ fields }: RequestMessage, caller: CallerClaims): Step {
  const token = attempt(() => parseToken(firstField(fields, 'authorization')))
  if (token instanceof ProtocolError) return unknown('caller')
  const { user, device, session, appid: app } = token.subject
  const claims = { user, device, session, app }
  const wrong = (['user', 'device', 'session', 'app'] as const).find((name) => caller[name] !== claims[name])
  if (wrong === undefined) return passed('caller')
  const error = new ProtocolError('token_invalid', 'the access token belongs to another caller')
  return failed('caller', error, { id: 'caller-other', detail: wrong })
}
