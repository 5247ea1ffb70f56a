/** From a capture to a report: every signature in it, check by check, and what makes a failed one verify. */
import type { RequestMessage } from 'miniseal-protocol/frames/binary-http'
import type { Capture } from './capture.ts'
import type { ExplainOptions } from './options.ts'
import type { KnownKey } from './public-keys.ts'
import { keyOf } from './public-keys.ts'
import type { Finding, Report, SignatureReport } from './report.ts'
import { explainSignature } from './signature-report.ts'
import { findSigned } from './signed-members.ts'

/** Explains untrusted input. Bounded in time by `options.budget`. */
export function explainCapture(capture: Capture, options: ExplainOptions): Report {
  const { request, response, problem } = capture
  const keys = [...options.keys, ...(request === undefined ? [] : sentKeys(request.message))]
  const findings: Finding[] = []
  const signatures: SignatureReport[] = []
  const look = (fields: RequestMessage['fields'], isResponse: boolean): void => {
    const { members, fault } = findSigned(fields, isResponse)
    if (fault !== undefined) findings.push({ id: 'signature-unreadable', detail: fault })
    const inOrder = members.toSorted(
      (one, other) => Number(one.kind === 'gateway') - Number(other.kind === 'gateway'),
    )
    for (const member of inOrder) signatures.push(explainSignature(member, capture, { ...options, keys }))
    if (members.length === 0 && fault === undefined) findings.push(...unsigned(fields, isResponse))
  }
  if (request !== undefined) look(request.message.fields, false)
  const isSignedAnswer = response?.fields.some(([name]) => name === 'signature-input') === true
  if (response !== undefined && (request === undefined || isSignedAnswer)) look(response.fields, true)
  const hasFailed = signatures.some(({ steps }) => steps.some(({ outcome }) => outcome === 'failed'))
  const isGood = !hasFailed && findings.length === 0 && problem === undefined
  return { isGood, notes: capture.notes, findings, signatures, ...(problem === undefined ? {} : { problem }) }
}

/** Why there is nothing to check. */
function unsigned(fields: RequestMessage['fields'], isResponse: boolean): readonly Finding[] {
  const named = (name: string): string => fields.find(([other]) => other === name)?.[1] ?? ''
  if (/^application\/vnd\.miniseal\b/i.test(named('content-type')))
    return [{ id: 'sealed-frame', detail: '' }]
  if (isResponse && named('content-type').startsWith('application/problem+json')) return []
  const half = ['signature', 'signature-input'].filter((name) => named(name) !== '')
  return [{ id: half.length === 0 ? 'not-signed' : 'half-signed', detail: half.join('') }]
}

/** Keys that the request itself brings: the gateway's field, or the body of a login. Untrusted, and good for comparing. */
function sentKeys({ fields, content, path }: RequestMessage): readonly KnownKey[] {
  const field = fields.find(([name]) => name === 'miniseal-device-key')?.[1]
  const text = field ?? (path === '/sessions' ? loginKey(content) : undefined)
  if (text === undefined || !/^[A-Za-z0-9_-]{43}$/.test(text)) return []
  return [keyOf(new Uint8Array(Buffer.from(text, 'base64url')), undefined, 'request')]
}

function loginKey(content: Uint8Array): string | undefined {
  return /"x"\s*:\s*"([A-Za-z0-9_-]{43})"/.exec(
    Buffer.from(content.subarray(0, 10_000)).toString('latin1'),
  )?.[1]
}
