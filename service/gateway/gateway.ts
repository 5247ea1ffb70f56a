/** The gateway: verified, opened requests go on to backends as plain HTTP, with the device's signature and ours. */

import type { Field, RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { signForBackend } from 'miniseal-protocol/http-signatures/gateway-signature'
import type { MessageSigner } from 'miniseal-protocol/http-signatures/signed-request'
import type { Primitives } from 'miniseal-protocol/primitives/primitives'
import { suite1 } from 'miniseal-protocol/primitives/suite'
import type { Agent } from 'undici'
import { ProblemError } from '../problems/problem-error.ts'
import type { Backend, Caller } from './backend.ts'
import type { BackendTrace } from './backend-trace.ts'
import type { UpstreamBulkhead } from './bulkhead.ts'
import { openUpstreamBulkhead } from './bulkhead.ts'
import { replyFields } from './reply-fields.ts'
import { passedFields } from './request-fields.ts'
import type { Upstream } from './routes.ts'
import { findRoute } from './routes.ts'
import { assertConfirmed, summaryOf } from './step-up-policy.ts'
import { causeOf, NotSent, UnfitAnswer, type UpstreamFault } from './upstream-faults.ts'

export interface GatewayOptions {
  readonly upstreams: readonly Upstream[]
  /** The service's host and port: the `Host` that backends see, so that the signature verifies. */
  readonly authority: string
  /** For the whole answer of a route without a time of its own, in milliseconds. */
  readonly timeoutMs?: number
  /** Bytes of an answer's body. */
  readonly maxContent: number
  readonly trace: BackendTrace
  /** Told of every `upstream_unavailable`. Never throws. */
  readonly onFault?: (fault: UpstreamFault) => void
  readonly primitives: Primitives
  /** The service signing key in use now. */
  readonly signer: () => MessageSigner
  /** UNIX seconds. */
  readonly now: () => number
  /** Bytes of the system's generator. */
  readonly random: (length: number) => Uint8Array
}

/** A route with the part of the service that is its own. */
interface Route extends Upstream {
  readonly timeoutMs: number
  readonly upstreamBulkhead: UpstreamBulkhead
}

/** A backend that forwards. A request that no route takes is `not_found`. */
export function createGateway(options: GatewayOptions): Backend {
  const routes = options.upstreams.map((upstream): Route => {
    const timeoutMs = upstream.timeoutMs ?? options.timeoutMs ?? 10_000
    const connectTimeout = Math.min(timeoutMs, 3_000)
    return {
      ...upstream,
      timeoutMs,
      upstreamBulkhead: openUpstreamBulkhead({ connectTimeout, maxContent: options.maxContent }),
    }
  })
  return {
    async answer(message, caller) {
      const route = routeOf(routes, message)
      assertConfirmed(route.stepUp, message, caller)
      const signed = signedForBackend(options, route, message, caller)
      const headers: readonly Field[] = [['host', options.authority], ...signed.fields]
      const call = { method: message.method, route: route.prefix }
      return await options.trace.run(call, (traced) =>
        sendToUpstream(route, message, [...headers, ...traced], options.onFault),
      )
    },
    routeOf: (message) => findRoute(routes, message.path)?.prefix,
    isIdempotent: (message) => findRoute(routes, message.path)?.isIdempotent === true,
    summaryOf(message) {
      const route = findRoute(routes, message.path)
      return route?.stepUp?.summary === undefined ? undefined : summaryOf(route.stepUp, message)
    },
    routes: () =>
      routes.map(({ prefix, upstreamBulkhead }) => ({ route: prefix, ...upstreamBulkhead.state() })),
    async close() {
      await Promise.all(routes.map(({ upstreamBulkhead }) => upstreamBulkhead.close()))
    },
  }
}

/** @throws ProblemError `not_found` without a route for path and method, `payload_invalid` over its limit. */
function routeOf(routes: readonly Route[], message: RequestMessage): Route {
  const { method, content } = message
  const route = findRoute(routes, message.path)
  if (route === undefined || !(route.methods?.includes(method) ?? true)) {
    throw new ProblemError('not_found', 'there is nothing at this path')
  }
  if (content.length > (route.maxBody ?? Number.POSITIVE_INFINITY)) {
    throw new ProblemError('payload_invalid', `the content is over ${route.maxBody} bytes`)
  }
  return route
}

/**
 * Those of the device's fields that are passed on, and who it is in the service's words. The device key that comes with them needs no trust:
 * its thumbprint is the `cnf.jkt` of the access token, which is signed.
 */
function signedForBackend(
  { primitives, signer, now, random }: GatewayOptions,
  route: Route,
  message: RequestMessage,
  { user, device, session, appid, acr, signature }: Caller,
): RequestMessage {
  const fields = passedFields(message.fields, route.fields)
  const claims = { user, device, session, app: appid, acr }
  const nonce = random(suite1.signatureNonceLength)
  return signForBackend(
    primitives,
    { ...message, fields },
    claims,
    signature.publicKey,
    signer(),
    now(),
    nonce,
  )
}

/** @throws ProblemError `upstream_unavailable`, with the effect `none` where that is certain. */
async function sendToUpstream(
  route: Route,
  message: RequestMessage,
  headers: readonly Field[],
  onFault: GatewayOptions['onFault'],
): Promise<ResponseMessage> {
  // Runs while the request waits for its turn, too.
  const deadline = AbortSignal.timeout(route.timeoutMs)
  try {
    return await route.upstreamBulkhead.run(deadline, (agent) =>
      forward(agent, route, message, headers, deadline),
    )
  } catch (error) {
    onFault?.({ route: route.prefix, ...faultOf(error) })
    if (error instanceof ProblemError) throw error
    const effect = isBeforeSending(error) ? 'none' : undefined
    throw new ProblemError('upstream_unavailable', 'no usable answer from the backend', {
      effect,
      cause: error,
    })
  }
}

function faultOf(error: unknown): Omit<UpstreamFault, 'route'> {
  const cause = error instanceof ProblemError ? error.cause : error
  return cause instanceof NotSent ? { cause: cause.reason, errno: undefined } : causeOf(cause)
}

/** True only where no connection was made: not a byte of the request can have arrived. */
function isBeforeSending(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'UND_ERR_CONNECT_TIMEOUT'
}

async function forward(
  agent: Agent,
  { origin, timeoutMs }: Route,
  message: RequestMessage,
  headers: readonly Field[],
  signal: AbortSignal,
): Promise<ResponseMessage> {
  // The path goes on its own: inside a URL it would be parsed, and `'` written anew, which breaks the signature.
  const answer = await agent.request({
    origin,
    path: message.path,
    method: message.method,
    headers: headers.flat(),
    body: message.content.length === 0 ? null : message.content,
    signal,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  })
  const content = new Uint8Array(await answer.body.arrayBuffer())
  const fields = Object.entries(answer.headers).flatMap(([name, value]): Field[] => {
    if (value === undefined) return []
    return [[name, Array.isArray(value) ? value.join(', ') : value]]
  })
  if (answer.statusCode > 599) throw new UnfitAnswer('the status of the answer is over 599')
  return { status: answer.statusCode, fields: replyFields(fields), content }
}
