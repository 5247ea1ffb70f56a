/** `POST /push`: backends push events to users. Requests are signed (RFC 9421) but not sealed. */
import { randomUUID } from 'node:crypto'
import type { Context } from 'hono'
import { equalBytes } from 'miniseal-protocol/bytes'
import { FormatError } from 'miniseal-protocol/errors'
import { type Field, findField, type RequestMessage } from 'miniseal-protocol/frames/binary-http'
import {
  assertContentDigest,
  assertInWindow,
  parsePushSignature,
  type RequestSignature,
} from 'miniseal-protocol/http-signatures/signed-request'
import { decodeBase64Url, encodeBase64Url } from 'miniseal-protocol/text'
import { z } from 'zod'
import { nonceClaim } from '../channel/claim.ts'
import type { ExchangeContext } from '../channel/context.ts'
import { readIdempotencyKey } from '../channel/idempotency.ts'
import { assertSignedBy } from '../channel/verify.ts'
import { newEvent } from '../events/event.ts'
import type { Pushed } from '../events/outbox.ts'
import { type Keyring, serviceKeyKinds } from '../keys/keyring.ts'
import { isPrimeOrderKey } from '../keys/sodium-primitives.ts'
import { parseJsonContent } from '../messages/content.ts'
import { writeProblem } from '../problems/document.ts'
import { atStep, atStepAsync, ProblemError, type Refusal, refusalAt } from '../problems/problem-error.ts'
import { closing, problemResponse, senderOf } from './seal.ts'

/** Bytes of a request body: an event and a user, with space for JSON escapes. */
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

/** Applies the limits by address before any verification. */
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

/** The request as signed: for the service's own authority, whatever the Host field. */
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
  // After verification, so that forged signatures do not use up the limit; before the claim, so that the nonce stays unused.
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

// `MINISEAL_PUSH_KEYS`: the backends that may push.

export interface PushKey {
  /** The `keyid` of its signatures. */
  readonly name: string
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array
}

const form = 'MINISEAL_PUSH_KEYS must be a comma list of name=<Ed25519 public key, 32 bytes in base64url>'

/**
 * Parses `MINISEAL_PUSH_KEYS`, for example `orders=…,support=…`.
 *
 * @throws Error for the operator: a malformed entry, a duplicate name or key, a key that is not canonical or not of
 *   prime order.
 */
export function parsePushKeys(text: string | undefined): readonly PushKey[] {
  const keys = (text?.split(',') ?? []).map((entry) => parseKey(entry.trim()))
  if (new Set(keys.map(({ name }) => name)).size < keys.length)
    throw new Error('MINISEAL_PUSH_KEYS names a key twice')
  if (new Set(keys.map(({ publicKey }) => encodeBase64Url(publicKey))).size < keys.length)
    throw new Error('MINISEAL_PUSH_KEYS has one key under two names')
  return keys
}

/** @throws Error when a push key is a service key: each key serves one purpose. */
export function assertNotServiceKeys(keys: readonly PushKey[], keyring: Keyring): void {
  const serviceKeys = serviceKeyKinds.flatMap((kind) => keyring.known(kind))
  for (const { name, publicKey } of keys) {
    const same = serviceKeys.find((key) => equalBytes(key.publicKey, publicKey))
    if (same !== undefined)
      throw new Error(`MINISEAL_PUSH_KEYS: ${name} is the service's own ${same.kind} key`)
  }
}

function parseKey(entry: string): PushKey {
  const [, name, encoded] = /^([a-z][a-z0-9-]{0,63})=([A-Za-z0-9_-]{43})$/.exec(entry) ?? []
  if (name === undefined || encoded === undefined) throw new Error(form)
  let publicKey: Uint8Array
  try {
    publicKey = decodeBase64Url(encoded)
  } catch (error) {
    if (error instanceof FormatError) throw new Error(form)
    throw error
  }
  if (!isPrimeOrderKey(publicKey))
    throw new Error(`MINISEAL_PUSH_KEYS: the key ${name} is not a canonical Ed25519 key of prime order`)
  return { name, publicKey }
}
