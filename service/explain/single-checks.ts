/** The single checks of a signature, each with its likely causes. */

import { ProtocolError } from 'miniseal-protocol/errors'
import type { RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { assertContentDigest } from 'miniseal-protocol/http-signatures/signed-request'
import type { InnerList } from 'miniseal-protocol/http-signatures/structured-fields'
import { sodiumPrimitives as primitives } from '../keys/sodium-primitives.ts'
import { bodyForms } from './body-forms.ts'
import type { KnownKey } from './public-keys.ts'
import { isUsable } from './public-keys.ts'
import { digestOf, printable } from './redaction.ts'
import type { Finding, Step, StepName } from './report.ts'
import type { SignatureKind } from './signed-members.ts'
import type { MessageId } from './words-en.ts'

/** A time, and whether the capture says it or it is only our clock. */
export interface Reference {
  readonly seconds: number
  readonly isKnown: boolean
}

export function passed(name: StepName, detail = ''): Step {
  return { name, outcome: 'ok', detail, findings: [] }
}

export function unknown(name: StepName, ...findings: readonly Finding[]): Step {
  return { name, outcome: 'unknown', detail: '', findings }
}

/** @param error as the service or `verifyMiniseal` would throw it */
export function failed(name: StepName, error: ProtocolError, ...findings: readonly Finding[]): Step {
  return { name, outcome: 'failed', code: error.code, detail: printable(error.message), findings }
}

/** Runs a check that throws. @throws what is no ProtocolError */
export function attempt<T>(run: () => T): T | ProtocolError {
  try {
    return run()
  } catch (error) {
    if (error instanceof ProtocolError) return error
    throw error
  }
}

const windows: Readonly<Record<SignatureKind, { readonly past: number; readonly future: number }>> = {
  device: { past: 120, future: 10 },
  push: { past: 120, future: 10 },
  gateway: { past: 60, future: 20 },
  response: { past: Number.POSITIVE_INFINITY, future: Number.POSITIVE_INFINITY },
}

export function checkWindow(kind: SignatureKind, input: InnerList, { seconds, isKnown }: Reference): Step {
  const created = input.params.get('created')
  if (created?.kind !== 'integer') return unknown('window')
  const age = seconds - created.value
  const { past, future } = windows[kind]
  const error = new ProtocolError(
    'window_invalid',
    'the signature was not created within the accepted window',
  )
  if (created.value > 100_000_000_000)
    return failed('window', error, { id: 'created-milliseconds', detail: String(created.value) })
  if (age < -future) return failed('window', error, { id: 'clock-ahead', detail: String(-age) })
  if (age <= past) return passed('window', `${age} s`)
  if (!isKnown) return unknown('window', { id: 'age-unknown', detail: String(age) })
  return failed('window', error, { id: 'clock-behind', detail: String(age) })
}

/** The content against its digest, and which other form of the content would fit. */
export function checkDigest(message: RequestMessage | ResponseMessage): Step {
  const asRequest: RequestMessage = { method: '', scheme: '', authority: '', path: '', ...message }
  const named = message.fields.some(([name]) => name === 'content-digest')
  const outcome = attempt(() => assertContentDigest(primitives, asRequest))
  if (!(outcome instanceof ProtocolError)) return passed('digest', named ? `${message.content.length} B` : '')
  const form = bodyForms(message.content).find(({ bytes }) => {
    return !(
      attempt(() => assertContentDigest(primitives, { ...asRequest, content: bytes })) instanceof
      ProtocolError
    )
  })
  const empty = message.content.length === 0
  const id: MessageId = form !== undefined ? `body-${form.id}` : empty ? 'body-gone' : 'body-other'
  return failed('digest', outcome, { id, detail: String(message.content.length) })
}

export function keyidOf(input: InnerList): string {
  const keyid = input.params.get('keyid')
  return keyid?.kind === 'string' ? keyid.value : ''
}

/** The key of this name, by its thumbprint or by the name that its set gives it. */
export function findKey(keys: readonly KnownKey[], keyid: string): KnownKey | undefined {
  return keys.find(({ thumbprint, kid }) => thumbprint === keyid || kid === keyid)
}

export function checkKey(kind: SignatureKind, keys: readonly KnownKey[], keyid: string): Step {
  const error = new ProtocolError('key_unknown', 'there is no key of this name')
  if (keyid === '') return unknown('key')
  const usable = keys.filter((key) => isUsable(key, kind))
  if (findKey(usable, keyid) !== undefined) return passed('key', printable(keyid))
  if (findKey(keys, keyid)?.purpose !== undefined)
    return failed('key', error, { id: 'key-purpose', detail: printable(keyid) })
  const sent = keys.find(({ source }) => source === 'request')
  if (kind === 'device' && sent !== undefined)
    return failed('key', error, { id: 'device-key-other', detail: sent.thumbprint })
  if (usable.length === 0)
    return unknown('key', { id: kind === 'device' ? 'no-device-key' : 'no-service-key', detail: '' })
  return failed('key', error, {
    id: 'key-not-named',
    detail: usable
      .map(({ kid }) => printable(kid))
      .slice(0, 8)
      .join(', '),
  })
}

/** Shown instead of a token. */
export function tokenDigest(token: string): string {
  return digestOf(token)
}
