/** A caller's request as an inner message, still without token and signature: those are new on every attempt. */

import { FormatError } from 'miniseal-protocol/errors'
import type { Field, RequestMessage } from 'miniseal-protocol/frames/binary-http'
import { encodeRequest } from 'miniseal-protocol/frames/binary-http'
import { isOwnRoute } from 'miniseal-protocol/http-signatures/own-routes'
import { serializeBareItem } from 'miniseal-protocol/http-signatures/structured-fields'
import { encodeBase64Url, encodeUtf8 } from 'miniseal-protocol/text'
import { findSmaller } from './compression.ts'
import type { Environment } from './environment.ts'
import { ChannelError } from './errors.ts'
import type { Priority } from './queue.ts'

export interface RequestOptions {
  /** Upper case. */
  readonly method: string
  /** Absolute, percent-encoded, with the query. */
  readonly path: string
  /** Bytes go as they are, with the caller's `content-type`; everything else as JSON. */
  readonly body?: unknown
  /** Names in any case. Only those that the protocol lists are covered by the signature. */
  readonly headers?: Readonly<Record<string, string>>
  /** Visible ASCII. Made up where it is missing; to repeat a request of unknown outcome, pass the error's. */
  readonly idempotencyKey?: string
  /** Among what waits to be sent; `normal` unless told. */
  readonly priority?: Priority
  /** For requests that can have an effect: the same one made again while it is under way is not sent again. */
  readonly once?: boolean
  /** Waits for a network, up to a minute, instead of failing with `offline`. */
  readonly waitForNetwork?: boolean
  /**
   * For `GET`: where the answer may be kept. `storage` outlives the mini program, encrypted; `memory` unless told. The
   * service's `Cache-Control` is obeyed in any case.
   */
  readonly cache?: 'memory' | 'storage' | 'none'
  /**
   * When the service asks for a confirmation by finger or face: `true` shows the summary in a dialog first, a function
   * shows it in its own way and says whether the person wants it. Absent: `step_up_required` is thrown.
   */
  readonly confirm?: boolean | ((summary: string) => Promise<boolean>)
}

export interface PreparedRequest {
  readonly message: RequestMessage
  /** Whether it may have an effect. */
  readonly isUnsafe: boolean
  readonly idempotencyKey: string | undefined
  /** Whether sending it twice has no more effect than sending it once. */
  readonly isRepeatable: boolean
  readonly priority: Priority
  /** Shared by all attempts with this key. */
  readonly progress: {
    /** Whether it may have left the phone. */
    wasSent: boolean
  }
}

/** What the client writes itself; a caller's value would be sent unsigned or break the signature. */
const reserved: readonly string[] = [
  'authorization',
  'content-digest',
  'idempotency-key',
  'signature',
  'signature-input',
]
const safeMethods: readonly string[] = ['GET', 'HEAD', 'OPTIONS', 'TRACE']
/** Unsafe, but without a key: the protocol, section 5. */
const withoutKey: readonly string[] = ['POST /sessions', 'POST /events/subscription']

/**
 * Checks and completes a request.
 *
 * @throws ChannelError `request_invalid` for a request that cannot be sent, `no_random` when a key has to be made up
 *   and the pool is empty.
 */
export function prepareRequest(environment: Environment, options: RequestOptions): PreparedRequest {
  const isUnsafe = !safeMethods.includes(options.method)
  const idempotencyKey = needsKey(options, isUnsafe)
    ? (options.idempotencyKey ?? encodeBase64Url(environment.random.take(16)))
    : undefined
  const whole = contentOf(options.body)
  if (!isUnsafe && whole.length > 0) invalid('a request with a safe method has no body')
  const smaller =
    isCoded(options) || isOwnRoute(options.path) ? undefined : findSmaller(environment.compression, whole)
  const content = smaller ?? whole
  const message = {
    method: options.method,
    scheme: 'https',
    authority: environment.authority,
    path: options.path,
    fields: fieldsOf(
      options,
      content,
      idempotencyKey,
      smaller === undefined ? [] : [['content-encoding', 'gzip']],
    ),
    content,
  }
  writing(() => encodeRequest(message))
  return {
    message,
    isUnsafe,
    idempotencyKey,
    isRepeatable: !isUnsafe || idempotencyKey !== undefined || isCancellation(options),
    priority: options.priority ?? 'normal',
    progress: { wasSent: false },
  }
}

/** The same request with one more header. */
export function withField(prepared: PreparedRequest, name: string, value: string): PreparedRequest {
  const { message } = prepared
  return { ...prepared, message: { ...message, fields: [...message.fields, [name, value]] } }
}

function needsKey(options: RequestOptions, isUnsafe: boolean): boolean {
  const { method, path } = options
  return isUnsafe && !withoutKey.includes(`${method} ${path}`) && !isCancellation(options)
}

/** It names a key already, and repeating it changes nothing. */
function isCancellation({ method, path }: RequestOptions): boolean {
  return method === 'DELETE' && path.startsWith('/outcomes/')
}

function isCoded({ headers = {} }: RequestOptions): boolean {
  return Object.keys(headers).some((name) => name.toLowerCase() === 'content-encoding')
}

function contentOf(body: unknown): Uint8Array {
  if (body === undefined) return new Uint8Array(0)
  if (body instanceof Uint8Array) return new Uint8Array(body)
  const json: string | undefined = JSON.stringify(body)
  if (json === undefined) return invalid('the body has no JSON form')
  return writing(() => encodeUtf8(json))
}

function fieldsOf(
  options: RequestOptions,
  content: Uint8Array,
  idempotencyKey: string | undefined,
  coding: readonly Field[],
): readonly Field[] {
  const given = Object.entries(options.headers ?? {}).map(
    ([name, value]): Field => [name.toLowerCase(), value],
  )
  if (given.some(([name]) => reserved.includes(name))) invalid('a header is reserved for the channel')
  const fields: Field[] = [...given, ...coding]
  if (content.length > 0 && !given.some(([name]) => name === 'content-type')) {
    const isJson = !(options.body instanceof Uint8Array)
    fields.push(['content-type', isJson ? 'application/json' : 'application/octet-stream'])
  }
  if (idempotencyKey !== undefined) {
    fields.push([
      'idempotency-key',
      writing(() => serializeBareItem({ kind: 'string', value: idempotencyKey })),
    ])
  }
  return fields
}

/** @throws ChannelError `request_invalid` when `make` cannot write what it was given. */
export function writing<T>(make: () => T): T {
  try {
    return make()
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause
    throw new ChannelError('request_invalid', 'the request cannot be sent', { cause })
  }
}

function invalid(message: string): never {
  throw new ChannelError('request_invalid', message)
}
