/** `POST /push`: backends push events to users. Requests are signed (RFC 9421) but not sealed. */
import { randomUUID } from 'node:crypto'
import type { Context } from 'hono'
import type { Field, RequestMessage } from 'miniseal-protocol/frames/binary-http'
import { findField } from 'miniseal-protocol/frames/binary-http'
import type { RequestSignature } from 'miniseal-protocol/http-signatures/signed-request'
import {
  assertContentDigest,
  assertInWindow,
  parsePushSignature,
} from 'miniseal-protocol/http-signatures/signed-request'
import { z } from 'zod'
import { nonceClaim } from '../channel/claim.ts'
import type { ExchangeContext } from '../channel/context.ts'
import { readIdempotencyKey } from '../channel/idempotency.ts'
import { assertSignedBy } from '../channel/verify.ts'
import { newEvent } from '../events/event.ts'
import type { Pushed } from '../events/outbox.ts'
import { parseJsonContent } from '../messages/content.ts'
import { writeProblem } from '../problems/document.ts'
import { atStep, atStepAsync, ProblemError, type Refusal, refusalAt } from '../problems/problem-error.ts'
import type { PushKey } from './push-keys.ts'
import { closing, problemResponse, senderOf } from './seal.ts'

/** Bytes of a request body: an event and a user, with room for escapes in JSON. */
const maxContent = 65_536

const pushBody = z.strictObject({ user: z.string().regex(/^[\x21-\x7e]{1,128}$/), ...newEvent.shape })

/** The body limit of `POST /push`. */
export function pushBodyLimit(context: ExchangeContext) {
  return {
    maxSize: maxContent,
    onError: (): Response => {
      const error = new ProblemError('payload_invalid', `a push must not exceed ${maxContent} bytes`)
      return closing(refusalResponse(context, refusalAt('frame', error), randomUUID()))
    },
  }
}

/** Without push keys the route answers 404. The whole request is attacker-controlled. */
export function pushHandler(
  context: ExchangeContext,
  keys: readonly PushKey[],
): (c: Context) => Promise<Response> {
  return async function push(c) {
    if (keys.length === 0) return await c.notFound()
    const requestId = randomUUID()
    const startedAt = performance.now()
    const { source } = senderOf(context, c)
    const record = (
      status: number,
      refusal: { readonly code?: string; readonly step?: string } = {},
    ): void => {
      const durationMs = Math.round((performance.now() - startedAt) * 100) / 100
      context.record({ requestId, source, kind: 'push', status, durationMs, ...refusal })
    }
    try {
      const { pushed, fields } = await admit(context, keys, source, c)
      const status = pushed.isNew ? 201 : 200
      record(status)
      const headers = { ...Object.fromEntries(fields), 'cache-control': 'no-store' }
      return c.json({ sequence: pushed.sequence }, status, headers)
    } catch (error) {
      const refusal = refusalAt('handler', error)
      const answer = refusalResponse(context, refusal, requestId)
      record(answer.status, { code: refusal.code, step: refusal.step })
      return answer
    }
  }
}

interface Accepted {
  readonly pushed: Pushed
  /** Rate-limit fields of the push key. */
  readonly fields: readonly Field[]
}

/** Limits by address before anything is verified. */
async function admit(
  context: ExchangeContext,
  keys: readonly PushKey[],
  source: string,
  c: Context,
): Promise<Accepted> {
  // Read first: an incomplete body reserves memory, but no concurrency slot that slow uploads could exhaust.
  const message = await readMessage(context, c)
  const release = await atStepAsync('limits', () => context.limits.admitPush(source))
  try {
    return await accept(context, keys, message)
  } finally {
    release()
  }
}

/** The request as signed: for the service's own authority, whatever the Host field says. */
async function readMessage({ authority }: ExchangeContext, c: Context): Promise<RequestMessage> {
  if (new URL(c.req.url).search !== '')
    throw new ProblemError('payload_invalid', 'a push must not have a query')
  const content = new Uint8Array(await c.req.arrayBuffer())
  const fields = [...c.req.raw.headers].map(([name, value]): [string, string] => [name.toLowerCase(), value])
  return { method: 'POST', scheme: 'https', authority, path: '/push', fields, content }
}

/** Verifies a push, then claims its nonce and stores the event in one commit. */
async function accept(
  context: ExchangeContext,
  keys: readonly PushKey[],
  message: RequestMessage,
): Promise<Accepted> {
  const signature = atStep('signature', () => parsePushSignature(message))
  atStep('window', () => assertInWindow(signature, context.now(), context.settings.window))
  atStep('digest', () => assertContentDigest(context.primitives, message))
  const key = atStep('key', () => findKey(keys, signature))
  atStep('verify', () => assertSignedBy(context, signature, key.publicKey))
  // After verification, so forged signatures do not use up the limit; before the claim, so the nonce stays unused.
  const fields = await atStepAsync('limits', () => context.limits.countPush(key.name))
  atStep('limits', () => context.disk.assertSpace())
  const { user, type, data } = atStep('handler', () => parseJsonContent(message, pushBody))
  const options = { ...atStep('idempotency', () => readId(message)), owner: key.name }
  const claim = nonceClaim(context, signature, `push/${key.name}`)
  const pushed = await atStepAsync('claim', () => context.outbox.push(user, { type, data }, options, [claim]))
  return { pushed, fields }
}

function findKey(keys: readonly PushKey[], { keyid }: RequestSignature): PushKey {
  const key = keys.find(({ name }) => name === keyid)
  if (key === undefined) throw new ProblemError('key_unknown', 'unknown push key')
  return key
}

function readId(message: RequestMessage): { readonly id?: string } {
  return findField(message.fields, 'idempotency-key') === undefined ? {} : { id: readIdempotencyKey(message) }
}

function refusalResponse({ settings, now }: ExchangeContext, refusal: Refusal, requestId: string): Response {
  return problemResponse(writeProblem(refusal, { origin: settings.origin, time: now(), requestId }))
}
