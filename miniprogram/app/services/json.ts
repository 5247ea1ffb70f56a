/** Parsing of verified JSON answers. */
import type { Answer } from 'miniseal-client'
import { ChannelError } from 'miniseal-client'

export type JsonObject = Readonly<Record<string, unknown>>

/** @throws ChannelError `unexpected_answer` unless the answer is `status` with a JSON object. */
export function objectOf(answer: Answer, status = 200): JsonObject {
  if (answer.status !== status) return unexpected(answer.status)
  return object(answer.json())
}

export function object(value: unknown): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return unexpected()
  return value as JsonObject
}

export function list(value: unknown): readonly JsonObject[] {
  if (!Array.isArray(value)) return unexpected()
  return value.map(object)
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : unexpected()
}

/** `''` for `null` and for an absent value. */
export function optionalText(value: unknown): string {
  return value === null || value === undefined ? '' : text(value)
}

export function integer(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : unexpected()
}

function unexpected(status?: number): never {
  throw new ChannelError('unexpected_answer', 'malformed answer', { status })
}
