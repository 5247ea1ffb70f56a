/** `POST /push`: a backend pushes an event to a user. Not part of the channel: signed, and not sealed. */
import { randomUUID } from 'node:crypto'
import type { Context } from 'hono'
import { ProtocolError } from 'miniseal-protocol/errors'
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
import { atStep, atStepAsync, type Refusal, refusalAt } from '../problems/problem-error.ts'
import { problemResponse, sourceOf } from './channel.ts'
import type { PushKey } from './push-keys.ts'

/** Bytes of a request's content: an event, the user, and room for another way to write JSON. */
const maxContent = 65_536

const pushBody = z.strictObject({ user: z.string().regex(/^[\x21-\x7e]{1,128}$/), ...newEvent.shape })

/** The options of a body limit for this route. */
export function maxPush(context: ExchangeContext) {
  return {
    maxSize: maxContent,
    onError: (): Response => {
      const error = new ProtocolError('payload_invalid', `a push has at most ${maxContent} bytes`)
      const answer = refusalResponse(context, refusalAt('frame', error), randomUUID())
      // The rest of the body is not read, so nothing else can come over this connection.
      answer.headers.set('connection', 'close')
      return answer
    },
  }
}

/** Handles `POST /push`; without keys there is nothing at this path. Everything in the request is attacker-controlled. */
export function pushHandler(
  context: ExchangeContext,
  keys: readonly PushKey[],
): (c: Context) => Promise<Response> {
  return async function push(c) {
    if (keys.length === 0) return await c.notFound()
    const requestId = randomUUID()
    const startedAt = performance.now()
    const record = (
      status: number,
      refusal: { readonly code?: string; readonly step?: string } = {},
    ): void => {
      const durationMs = Math.round((performance.now() - startedAt) * 100) / 100
      context.record({
        requestId,
        source: sourceOf(context, c),
        kind: 'push',
        status,
        durationMs,
        ...refusal,
      })
    }
    try {
      const { pushed, fields } = await acceptWithin(context, keys, c)
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

/** A push that was taken, and how much is left of its key's limit. */
interface Accepted {
  readonly pushed: Pushed
  readonly fields: readonly Field[]
}

/** Counts a push for its address and takes a place for it, before anything in it is looked at. */
async function acceptWithin(
  context: ExchangeContext,
  keys: readonly PushKey[],
  c: Context,
): Promise<Accepted> {
  // A body that is still arriving holds room (`boundBodies`), and no place: slow ones keep nobody out.
  const message = await readMessage(context, c)
  const leave = await atStepAsync('limits', () => context.limits.takePush(sourceOf(context, c)))
  try {
    return await accept(context, keys, message)
  } finally {
    leave()
  }
}

/** The request as it was signed: for our origin, whatever name it was sent to. */
async function readMessage({ authority }: ExchangeContext, c: Context): Promise<RequestMessage> {
  if (new URL(c.req.url).search !== '') throw new ProtocolError('payload_invalid', 'a push takes no query')
  const content = new Uint8Array(await c.req.arrayBuffer())
  const fields = [...c.req.raw.headers].map(([name, value]): [string, string] => [name.toLowerCase(), value])
  return { method: 'POST', scheme: 'https', authority, path: '/push', fields, content }
}

/** Every check in order; then nonce and event in one commit. */
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
  // Only now: with a forged signature nobody uses up what a backend may send. Before the claim: the nonce stays free.
  const fields = await atStepAsync('limits', () => context.limits.takePushOf(key.name))
  atStep('limits', () => context.disk.assertSpace())
  const { user, type, data } = atStep('handler', () => parseJsonContent(message, pushBody))
  const options = { ...atStep('idempotency', () => idOf(message)), owner: key.name }
  const claim = nonceClaim(context, signature, `push/${key.name}`)
  const pushed = await atStepAsync('claim', () => context.outbox.push(user, { type, data }, options, [claim]))
  return { pushed, fields }
}

function findKey(keys: readonly PushKey[], { keyid }: RequestSignature): PushKey {
  const key = keys.find(({ name }) => name === keyid)
  if (key === undefined) throw new ProtocolError('key_unknown', 'no key of this name may push')
  return key
}

function idOf(message: RequestMessage): { readonly id?: string } {
  return findField(message.fields, 'idempotency-key') === undefined ? {} : { id: readIdempotencyKey(message) }
}

function refusalResponse({ settings, now }: ExchangeContext, refusal: Refusal, requestId: string): Response {
  return problemResponse(writeProblem(refusal, { origin: settings.origin, time: now(), requestId }))
}
