/** One signature of a capture: its checks in order, both bases, and the change that reconciles them. */

import { ProtocolError } from 'miniseal-protocol/errors'
import type { Field, RequestMessage } from 'miniseal-protocol/frames/binary-http'
import { parseGatewaySignature } from 'miniseal-protocol/http-signatures/gateway-signature'
import { parsePushSignature, parseRequestSignature } from 'miniseal-protocol/http-signatures/signed-request'
import { verifyResponse } from 'miniseal-protocol/http-signatures/signed-response'
import { sodiumPrimitives as primitives } from '../keys/sodium-primitives.ts'
import type { Case } from './base-verdict.ts'
import { checkBase, serviceVerdict } from './base-verdict.ts'
import type { Capture } from './capture.ts'
import type { Difference } from './difference.ts'
import { differenceOf } from './difference.ts'
import { fieldChanges } from './field-changes.ts'
import type { Material } from './material.ts'
import { baseFault, baseOf } from './material.ts'
import type { ExplainOptions } from './options.ts'
import { isUsable } from './public-keys.ts'
import { isSecret, printable, shown } from './redaction.ts'
import type { Finding, SignatureReport, Step } from './report.ts'
import type { SignedMember } from './signed-members.ts'
import type { Reference } from './single-checks.ts'
import {
  attempt,
  checkDigest,
  checkKey,
  checkWindow,
  failed,
  keyidOf,
  passed,
  unknown,
} from './single-checks.ts'
import { targetChanges } from './target-changes.ts'
import { checkCaller, checkToken } from './token-check.ts'

export function explainSignature(
  member: SignedMember,
  capture: Capture,
  options: ExplainOptions,
): SignatureReport {
  const given = caseOf(member, capture, options)
  const base = baseOf(given.material)
  const { step: verified, other: signer } = checkBase(given)
  const service = serviceVerdict(given, base)
  const other = signer ?? service?.other
  const difference = base === undefined || other === undefined ? undefined : differenceOf(base, other.base)
  return {
    kind: member.kind,
    label: printable(member.label),
    keyid: printable(given.keyid),
    steps: stepsOf(given, verified),
    ...(base === undefined ? {} : { base: shown(base) }),
    ...(other === undefined ? {} : { other: { whose: other.whose, base: shown(other.base) } }),
    ...(difference === undefined ? {} : { difference: shownDifference(difference) }),
    ...(service === undefined ? {} : { service: service.findings }),
  }
}

/** Not even single bytes of a secret are shown. */
function shownDifference(found: Difference): Difference {
  return isSecret(found.component) ? { ...found, ours: undefined, theirs: undefined } : found
}

function caseOf(member: SignedMember, capture: Capture, options: ExplainOptions): Case {
  const { request, response } = capture
  const own = request?.message.authority
  const authority = options.authority ?? own ?? ''
  const message = request === undefined ? undefined : { ...request.message, authority }
  const isResponse = member.kind === 'response'
  const material: Material = {
    input: member.input,
    request: message,
    response: isResponse ? response : undefined,
  }
  const lines: readonly Field[] = isResponse ? (response?.fields ?? []) : (request?.lines ?? [])
  const target =
    request === undefined || message === undefined
      ? []
      : targetChanges({ ...request, message }, own === authority ? undefined : own)
  const changes = [...target, ...fieldChanges(material, lines)]
  return { member, capture, options, material, changes, keyid: keyidOf(member.input) }
}

/** The checks in the order of the service; all of them, so that a second fault is seen too. */
function stepsOf(given: Case, verified: Step): readonly Step[] {
  const { member, capture, options, material, keyid } = given
  const at: Reference = referenceOf(capture, options)
  const message = material.response ?? material.request
  const own: readonly Step[] =
    message === undefined
      ? []
      : [
          checkForm(given),
          ...(member.kind === 'response' ? [] : [checkWindow(member.kind, member.input, at)]),
          checkDigest(message),
          checkKey(member.kind, options.keys, keyid),
          verified,
        ]
  const { request } = material
  if (member.kind === 'device' && request !== undefined)
    return [...own, checkToken(request, keyid, options.keys, at)]
  if (member.kind === 'gateway' && request !== undefined) {
    const caller = attempt(() => parseGatewaySignature(request))
    return caller instanceof ProtocolError ? own : [...own, checkCaller(request)]
  }
  return own
}

/** The service signs when a request has just arrived: its time is the best there is for the device's. */
function referenceOf({ at, request }: Capture, options: ExplainOptions): Reference {
  const known = options.at ?? at ?? gatewayTime(request?.message)
  return known === undefined ? { seconds: options.now, isKnown: false } : { seconds: known, isKnown: true }
}

function gatewayTime(message: RequestMessage | undefined): number | undefined {
  if (message === undefined) return undefined
  const parsed = attempt(() => parseGatewaySignature(message))
  return parsed instanceof ProtocolError ? undefined : parsed.created
}

/** Form, tag, coverage and parameters, by the very functions that the service calls. */
function checkForm({ member, material, options }: Case): Step {
  const { request, response } = material
  const parse = { device: parseRequestSignature, gateway: parseGatewaySignature, push: parsePushSignature }
  if (member.kind !== 'response') {
    if (request === undefined) return unknown('signature')
    const { kind } = member
    const outcome = attempt(() => parse[kind](request))
    if (!(outcome instanceof ProtocolError)) return passed('signature')
    return failed('signature', outcome, ...formFindings(outcome, material))
  }
  if (response === undefined || request === undefined)
    return unknown('signature', { id: 'request-missing', detail: '' })
  const known = options.keys.filter((key) => isUsable(key, 'response'))
  const outcome = attempt(() => verifyResponse(primitives, response, request, known))
  const later = ['digest_mismatch', 'key_unknown', 'signature_invalid']
  if (!(outcome instanceof ProtocolError) || later.includes(outcome.code)) return passed('signature')
  return failed('signature', outcome, ...formFindings(outcome, material))
}

function formFindings(error: ProtocolError, material: Material): readonly Finding[] {
  if (error.code !== 'components_incomplete') return []
  // Covered well, and a value is none that a base can hold: the refusal itself says so.
  if (error.message === baseFault(material)) return []
  const covered = material.input.items
    .map(({ value }) => (value.kind === 'string' ? value.value : '?'))
    .join(' ')
  const fields = (material.response ?? material.request)?.fields ?? []
  const gone = material.input.items.flatMap(({ value, params }) => {
    if (value.kind !== 'string' || value.value.startsWith('@') || params.size > 0) return []
    return fields.some(([name]) => name === value.value) ? [] : [value.value]
  })
  if (gone.length > 0) return [{ id: 'component-gone', detail: printable(gone.join(' ')) }]
  return [{ id: 'coverage', detail: printable(covered) }]
}
