/** What came of a request, by its Idempotency-Key, and giving one up (protocol, section 8). */

import { FormatError } from 'miniseal-protocol/errors'
import type { Field } from 'miniseal-protocol/frames/binary-http'
import { decodeBase64, encodeAscii, encodeBase64Url } from 'miniseal-protocol/text'
import type { Answer } from './answer.ts'
import { notModifiedAnswer } from './answer.ts'
import type { Environment } from './environment.ts'
import { ChannelError } from './errors.ts'
import { jsonObject, parseJsonObject, requiredNumber } from './json.ts'
import { writing } from './prepared-request.ts'
import type { Requests } from './requests.ts'
import { readable } from './session.ts'

interface Done {
  readonly outcome: 'done'
  /** The stored answer; `undefined` when only another session of the user may see it. Its evidence is this exchange. */
  readonly answer: Answer | undefined
}

export type RequestOutcome =
  | Done
  /** It is being carried out. */
  | { readonly outcome: 'running' }
  /** The service does not know, and never will by itself. */
  | { readonly outcome: 'unknown' }
  | {
      /** It did not run, and never will. */
      readonly outcome: 'none'
      /** Whether it was given up; otherwise the service refused it. */
      readonly cancelled: boolean
      /** The refusal. */
      readonly answer: Answer | undefined
    }
  /** No such request has arrived. It may still be on its way: `cancel` stops it. */
  | { readonly outcome: 'unclaimed' }

/** `none`: it did not run, and never will. `done`: it was too late. `running`, `unknown`: neither can be said. */
export type Cancellation =
  | { readonly outcome: 'none' }
  | Done
  | { readonly outcome: 'running' }
  | { readonly outcome: 'unknown' }

/** @throws ChannelError `request_invalid` for what is no key, `unexpected_answer` for another answer than agreed. */
export async function findOutcome(
  environment: Environment,
  requests: Requests,
  key: string,
): Promise<RequestOutcome> {
  const answer = await requests.send({ method: 'GET', path: pathOf(key), priority: 'high', cache: 'none' })
  return readable(() => parseOutcome(environment, answer))
}

/** @throws ChannelError as {@link findOutcome}, and `outcome_unknown` when no answer came. */
export async function cancelRequest(
  environment: Environment,
  requests: Requests,
  key: string,
): Promise<Cancellation> {
  const path = pathOf(key)
  try {
    const answer = await requests.send({ method: 'DELETE', path, priority: 'high' })
    const found = readable(() => parseOutcome(environment, answer))
    if (found.outcome === 'none') return { outcome: 'none' }
    if (found.outcome === 'done') return found
    throw new ChannelError('unexpected_answer', 'the request was neither cancelled nor done')
  } catch (error) {
    if (!(error instanceof ChannelError) || error.reason !== 'idempotency_in_progress') throw error
    return { outcome: error.problem?.outcome === 'unknown' ? 'unknown' : 'running' }
  }
}

/** Keys have characters that paths may not have. */
function pathOf(key: string): string {
  if (key === '') throw new ChannelError('request_invalid', 'an idempotency key is never empty')
  return `/outcomes/${encodeBase64Url(writing(() => encodeAscii(key)))}`
}

function parseOutcome(environment: Environment, telling: Answer): RequestOutcome {
  if (telling.status !== 200) throw new FormatError('an outcome is told with 200')
  const { outcome, cancelled, answer } = parseJsonObject(telling.bytes)
  const stored = answer === undefined ? undefined : parseStored(environment, jsonObject(answer), telling)
  switch (outcome) {
    case 'done':
      return { outcome, answer: stored }
    case 'none':
      return { outcome, cancelled: cancelled === true, answer: stored }
    case 'running':
    case 'unknown':
    case 'unclaimed':
      return { outcome }
    default:
      throw new FormatError('not an outcome')
  }
}

function parseStored(environment: Environment, stored: Record<string, unknown>, telling: Answer): Answer {
  const { fields, content } = stored
  if (!Array.isArray(fields) || typeof content !== 'string') throw new FormatError('not a stored answer')
  const response = {
    status: requiredNumber(stored, 'status'),
    fields: fields.map(fieldOf),
    content: decodeBase64(content),
  }
  return notModifiedAnswer(response, telling, environment.compression)
}

function fieldOf(field: unknown): Field {
  if (!Array.isArray(field)) throw new FormatError('not a field')
  const [name, value]: readonly unknown[] = field
  if (typeof name !== 'string' || typeof value !== 'string') throw new FormatError('not a field')
  return [name, value]
}
