/** The gateway: forwards verified requests to backends as plain HTTP, with the signatures of device and service. */

import type { Field, RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { type Caller, signForBackend } from 'miniseal-protocol/http-signatures/gateway-signature'
import type { MessageSigner } from 'miniseal-protocol/http-signatures/signed-request'
import type { Primitives } from 'miniseal-protocol/primitives/primitives'
import { suite1 } from 'miniseal-protocol/primitives/suite'
import type { Agent } from 'undici'
import { ProblemError } from '../problems/problem-error.ts'
import type { Backend, BackendTrace } from './backend.ts'
import { passedFields, replyFields } from './fields.ts'
import { findRoute, type Upstream } from './routes.ts'
import { assertConfirmed, summaryOf } from './step-up.ts'
import type { UpstreamFault, UpstreamPool } from './upstream-pool.ts'
import { faultOf, openUpstreamPool, UnfitAnswer } from './upstream-pool.ts'

export interface GatewayOptions {
  readonly upstreams: readonly Upstream[]
  /** The service's host and port: the `Host` of requests to backends, so that the signature verifies. */
  readonly authority: string
  /** Bytes of an answer's body. */
  readonly maxContent: number
  readonly trace: BackendTrace
  /** Called for every `upstream_unavailable`. Must not throw. */
  readonly onFault?: (fault: UpstreamFault) => void
  readonly primitives: Primitives
  /** The present signing key of the service. */
  readonly signer: () => MessageSigner
  /** UNIX seconds. */
  readonly now: () => number
  /** Bytes of the operating system's generator. */
  readonly random: (length: number) => Uint8Array
}

/** Milliseconds for the whole answer of a route that configures none. */
const defaultTimeout = 10_000

interface Route extends Upstream {
  readonly timeoutMs: number
  readonly pool: UpstreamPool
}

/** A backend that forwards requests by route; a request without a route is `not_found`. */
export function createGateway(options: GatewayOptions): Backend {
  const routes = options.upstreams.map((upstream): Route => {
    const timeoutMs = upstream.timeoutMs ?? defaultTimeout
    const connectTimeout = Math.min(timeoutMs, 3_000)
    return {
      ...upstream,
      timeoutMs,
      pool: openUpstreamPool({ connectTimeout, maxContent: options.maxContent }),
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
    routes: () => routes.map(({ prefix, pool }) => ({ route: prefix, ...pool.state() })),
    async close() {
      await Promise.all(routes.map(({ pool }) => pool.close()))
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
 * The request as the backend receives it: allowed fields, the identity of the caller, and the service's signature. The
 * device key in it is authenticated: its thumbprint is the `cnf.jkt` of the signed access token.
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

/** @throws ProblemError `upstream_unavailable`, with the effect `none` if the request certainly did not arrive. */
async function sendToUpstream(
  route: Route,
  message: RequestMessage,
  headers: readonly Field[],
  onFault: GatewayOptions['onFault'],
): Promise<ResponseMessage> {
  // Includes the time in the queue.
  const deadline = AbortSignal.timeout(route.timeoutMs)
  try {
    return await route.pool.run(deadline, (agent) => forward(agent, route, message, headers, deadline))
  } catch (error) {
    onFault?.({ route: route.prefix, ...faultOf(error) })
    if (error instanceof ProblemError) throw error
    const effect = isUnconnected(error) ? 'none' : undefined
    throw new ProblemError('upstream_unavailable', 'no usable answer from the backend', {
      effect,
      cause: error,
    })
  }
}

/** Whether no connection was made, so that no byte of the request can have arrived. */
function isUnconnected(error: unknown): boolean {
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
  // The path is passed separately: a URL parser would re-encode `'`, which breaks the signature.
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
