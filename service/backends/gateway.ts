/** The gateway: verified, opened requests go on to backends as plain HTTP, with the device's own signature. */
import { Agent, request as send } from 'undici'
import type { Field, RequestMessage, ResponseMessage } from '../../crypto/binary-http.ts'
import { ProtocolError } from '../../crypto/errors.ts'
import { encodeBase64Url } from '../../crypto/text.ts'
import type { Backend, Caller } from './backend.ts'
import { NothingSent } from './backend.ts'
import { replyFields } from './reply-fields.ts'

/** A route: requests whose path is `prefix`, or below it, go to `origin`. */
export interface Upstream {
  readonly prefix: string
  /** `http(s)://host[:port]`; paths are never rewritten, since the signature covers them. */
  readonly origin: string
}

/**
 * Reads `MINISEAL_UPSTREAMS`: `/wallet=http://127.0.0.1:9001,/orders=…`.
 *
 * @returns routes, longest prefix first; `undefined` when nothing is configured
 * @throws Error with a message for the operator.
 */
export function parseUpstreams(text: string | undefined): readonly Upstream[] | undefined {
  if (text === undefined) return undefined
  const upstreams = text.split(',').map((entry): Upstream => {
    const match = /^\s*(\/[A-Za-z0-9._~/-]*)=(https?:\/\/[^\s/?#]+)\/?\s*$/.exec(entry)
    const [, prefix, origin] = match ?? []
    if (prefix === undefined || origin === undefined || !URL.canParse(origin)) {
      throw new Error(
        'MINISEAL_UPSTREAMS must be /prefix=http://host:port[,…], without a path behind the port',
      )
    }
    return { prefix: prefix === '/' ? '' : prefix.replace(/\/$/, ''), origin }
  })
  if (new Set(upstreams.map(({ prefix }) => prefix)).size !== upstreams.length) {
    throw new Error('MINISEAL_UPSTREAMS names a prefix twice')
  }
  return upstreams.sort((a, b) => b.prefix.length - a.prefix.length)
}

export interface GatewayOptions {
  readonly upstreams: readonly Upstream[]
  /** The service's host and port: the `Host` that backends see, so that the signature verifies. */
  readonly authority: string
  /** For the whole answer, in milliseconds. */
  readonly timeoutMs?: number
  /** Bytes of an answer's body. */
  readonly maxContent: number
}

/** Fields that say who somebody is or where a request came from: never taken from outside. */
const stripped = /^(forwarded|x-forwarded-.*|x-real-ip|x-wx-.*|miniseal-.*|host|content-length|expect)$/

/** A backend that forwards. A request that no route takes is `not_found`. */
export function createGateway(options: GatewayOptions): Backend {
  const timeoutMs = options.timeoutMs ?? 10_000
  const agent = new Agent({ connectTimeout: Math.min(timeoutMs, 3_000), maxResponseSize: options.maxContent })
  return {
    async answer(message, caller) {
      const [path = ''] = message.path.split('?')
      const upstream = options.upstreams.find(
        ({ prefix }) => path === prefix || path.startsWith(`${prefix}/`),
      )
      if (upstream === undefined) throw new ProtocolError('not_found', 'there is nothing at this path')
      try {
        return await forward(
          agent,
          upstream,
          message,
          headersOf(message, caller, options.authority),
          timeoutMs,
        )
      } catch (error) {
        const cause = isBeforeSending(error) ? new NothingSent(error) : error
        throw new ProtocolError('upstream_unavailable', 'the backend did not answer as it must', cause)
      }
    },
    close: () => agent.destroy(),
  }
}

/**
 * The device's own fields, the host it signed for, and its public key. The key needs no trust: its thumbprint is the
 * `cnf.jkt` of the access token, which is signed.
 */
function headersOf(message: RequestMessage, { signature }: Caller, authority: string): readonly Field[] {
  const kept = message.fields.filter(([name]) => !stripped.test(name))
  return [['host', authority], ['miniseal-device-key', encodeBase64Url(signature.publicKey)], ...kept]
}

/** True only where no connection was made: not a byte of the request can have arrived. */
function isBeforeSending(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'UND_ERR_CONNECT_TIMEOUT'
}

async function forward(
  agent: Agent,
  upstream: Upstream,
  message: RequestMessage,
  headers: readonly Field[],
  timeoutMs: number,
): Promise<ResponseMessage> {
  const answer = await send(`${upstream.origin}${message.path}`, {
    dispatcher: agent,
    method: message.method,
    headers: headers.flat(),
    body: message.content.length === 0 ? null : message.content,
    signal: AbortSignal.timeout(timeoutMs),
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  })
  const content = new Uint8Array(await answer.body.arrayBuffer())
  const fields = Object.entries(answer.headers).flatMap(([name, value]): Field[] => {
    if (value === undefined) return []
    return [[name, Array.isArray(value) ? value.join(', ') : value]]
  })
  return { status: answer.statusCode, fields: replyFields(fields), content }
}
