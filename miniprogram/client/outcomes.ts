/** Outcomes of unsafe requests by Idempotency-Key, and cancellation (protocol, section 8). */

import { FormatError } from 'miniseal-protocol/errors'
import type { Field } from 'miniseal-protocol/frames/binary-http'
import { decodeJsonObject, jsonObject, requiredNumber } from 'miniseal-protocol/json'
import { decodeBase64, encodeAscii, encodeBase64Url } from 'miniseal-protocol/text'
import type { Answer } from './answer.ts'
import { embeddedAnswer } from './answer.ts'
import type { Environment } from './environment.ts'
import { ChannelError, encodeOrThrow, parseOrThrow } from './errors.ts'
import type { SendRequest } from './prepared-request.ts'

interface Done {
  readonly outcome: 'done'
  /** The stored answer; `undefined` when it belongs to another session of the user. Its evidence is this exchange. */
  readonly answer: Answer | undefined
}

export type RequestOutcome =
  | Done
  /** The request is being executed. */
  | { readonly outcome: 'running' }
  /** The service cannot determine the outcome. */
  | { readonly outcome: 'unknown' }
  | {
      /** The request did not run and never will. */
      readonly outcome: 'none'
      /** True after a cancellation, false after a refusal. */
      readonly cancelled: boolean
      /** The refusal. */
      readonly answer: Answer | undefined
    }
  /** No such request has arrived yet. `cancel` makes sure that it never runs. */
  | { readonly outcome: 'unclaimed' }

/** `none`: the request did not run and never will. `done`: it had run before. `running`, `unknown`: not cancelled. */
export type Cancellation =
  | { readonly outcome: 'none' }
  | Done
  | { readonly outcome: 'running' }
  | { readonly outcome: 'unknown' }

/** @throws ChannelError `request_invalid` for an invalid key, `unexpected_answer` for a malformed answer */
export async function findOutcome(
  environment: Environment,
  send: SendRequest,
  key: string,
): Promise<RequestOutcome> {
  const answer = await send({ method: 'GET', path: pathOf(key), priority: 'high', cache: 'none' })
  return parseOrThrow(() => parseOutcome(environment, answer))
}

/** @throws ChannelError as {@link findOutcome}; `outcome_unknown` when no answer arrives */
export async function cancelRequest(
  environment: Environment,
  send: SendRequest,
  key: string,
): Promise<Cancellation> {
  const path = pathOf(key)
  try {
    const answer = await send({ method: 'DELETE', path, priority: 'high' })
    const found = parseOrThrow(() => parseOutcome(environment, answer))
    if (found.outcome === 'none') return { outcome: 'none' }
    if (found.outcome === 'done') return found
    throw new ChannelError('unexpected_answer', 'neither cancelled nor done')
  } catch (error) {
    if (!(error instanceof ChannelError) || error.reason !== 'idempotency_in_progress') throw error
    return { outcome: error.problem?.outcome === 'unknown' ? 'unknown' : 'running' }
  }
}

/** Base64url, because keys may contain characters that paths may not. */
function pathOf(key: string): string {
  if (key === '') throw new ChannelError('request_invalid', 'empty idempotency key')
  return `/outcomes/${encodeBase64Url(encodeOrThrow(() => encodeAscii(key)))}`
}

function parseOutcome(environment: Environment, container: Answer): RequestOutcome {
  if (container.status !== 200) throw new FormatError('unexpected status of an outcome')
  const { outcome, cancelled, answer } = decodeJsonObject(container.bytes)
  const stored = answer === undefined ? undefined : parseStored(environment, jsonObject(answer), container)
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

function parseStored(environment: Environment, stored: Record<string, unknown>, container: Answer): Answer {
  const { fields, content } = stored
  if (!Array.isArray(fields) || typeof content !== 'string') throw new FormatError('not a stored answer')
  const response = {
    status: requiredNumber(stored, 'status'),
    fields: fields.map(fieldOf),
    content: decodeBase64(content),
  }
  return embeddedAnswer(response, container, environment.compression)
}

function fieldOf(field: unknown): Field {
  if (!Array.isArray(field)) throw new FormatError('not a field')
  const [name, value]: readonly unknown[] = field
  if (typeof name !== 'string' || typeof value !== 'string') throw new FormatError('not a field')
  return [name, value]
}
