/** `defineRoute`: one definition for each operation of the channel (protocol, section 6). */
import type { RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import type { Caller } from 'miniseal-protocol/http-signatures/gateway-signature'
import { isSafeMethod, pathWithoutQuery } from 'miniseal-protocol/http-signatures/message-rules'
import type { OwnSegment } from 'miniseal-protocol/http-signatures/own-routes'
import { type ZodType, z } from 'zod'
import { parseJsonContent } from '../../messages/content.ts'
import { ProblemError } from '../../problems/problem-error.ts'
import type { TokenAge } from '../../sessions/tokens.ts'
import type { Write } from '../../store/store.ts'
import type { ExchangeContext } from '../context.ts'

/** UNIX seconds. */
export const seconds = z.number().int().min(0)

/** Thumbprint of a device key. */
export const thumbprint = z.string().regex(/^[A-Za-z0-9_-]{43}$/)

/** b64u of 16 bytes. */
export const sessionId = z.string().regex(/^[A-Za-z0-9_-]{22}$/)

/** The result of a handler. The exchange commits the writes with the log entry, and then sends the reply. */
export interface RouteResult {
  readonly reply: ResponseMessage
  readonly writes: readonly Write[]
}

/** The treatment of a request before and after its handler. */
export interface RoutePolicy {
  /** `none`: the request needs no Idempotency-Key, because a repetition is harmless. */
  readonly idempotency: 'required' | 'none'
  /** `none`: passes without a confirmation in a session that requires one for every effect. */
  readonly stepUp: 'session' | 'none'
  readonly tokenAge: TokenAge
  /** `session`: the request is about its own session, so no other session of the user may read its stored answer. */
  readonly answerScope: 'user' | 'session'
  /** The rate limit and the share of concurrent work that the request counts for. */
  readonly budget: 'requests' | 'outcomes'
  /** `omitted`: the reply has so few possible values that its digest would reveal it. */
  readonly loggedDigest: 'reply' | 'omitted'
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

export interface QueryParameter {
  readonly description: string
  readonly minimum: number
  readonly maximum: number
  readonly default: number
}

/** The part of a route that the OpenAPI document contains. */
interface RouteDescription {
  /** The `operationId`. */
  readonly id: string
  readonly method: Method
  /** At most one parameter, at the end: it takes the rest of the path. */
  readonly path: `/${OwnSegment}${string}`
  readonly tag: 'sessions' | 'devices' | 'events' | 'receipts' | 'outcomes' | 'wechat'
  readonly summary: string
  readonly description?: string
  /** The meaning of the path parameter. */
  readonly parameter?: string
  readonly query?: Readonly<Record<string, QueryParameter>>
  readonly body?: ZodType
  /** The JSON of each status; `undefined`: no content. */
  readonly replies: Readonly<Record<number, ZodType | undefined>>
}

export interface Route extends RouteDescription, RoutePolicy {
  /** A login travels in a handshake frame and is handled by `login.ts`; every other route within a session. */
  readonly frame: 'handshake' | 'session'
  /** @throws ProblemError `not_found`, `payload_invalid`, or an error of the handler. */
  run(context: ExchangeContext, message: RequestMessage, caller: Caller): Promise<RouteResult>
}

/** The route of a request, and its policy. */
export interface Routing {
  /** `undefined` for a backend's request, and for a request to the service that has no route. */
  readonly route: Route | undefined
  readonly policy: RoutePolicy
}

/** The input of a handler. `body`, `query` and `parameter` are attacker-controlled; the first two match the definition. */
export interface RouteRequest<Body, Query extends string> {
  readonly caller: Caller
  readonly body: Body
  readonly query: Readonly<Record<Query, number>>
  /** The rest of the path, not checked. */
  readonly parameter: string
}

interface RouteDefinition<Body, Query extends string> extends RouteDescription, Partial<RoutePolicy> {
  readonly frame?: 'handshake'
  readonly body?: ZodType<Body>
  readonly query?: Readonly<Record<Query, QueryParameter>>
  /** Does not write. Absent for the login. */
  readonly handler?: (
    context: ExchangeContext,
    request: RouteRequest<Body, Query>,
  ) => RouteResult | Promise<RouteResult>
}

/** The policy of a request that goes to a backend, and the default of a route. */
export function defaultPolicy(method: string): RoutePolicy {
  return {
    idempotency: isSafeMethod(method) ? 'none' : 'required',
    stepUp: 'session',
    tokenAge: 'unexpired',
    answerScope: 'user',
    budget: 'requests',
    loggedDigest: 'reply',
  }
}

export function defineRoute<Body = undefined, Query extends string = never>(
  definition: RouteDefinition<Body, Query>,
): Route {
  const { handler, ...description } = definition
  return {
    ...defaultPolicy(definition.method),
    frame: 'session',
    ...description,
    async run(context, message, caller) {
      if (handler === undefined) throw notFound()
      const pathname = pathWithoutQuery(message.path)
      return await handler(context, {
        caller,
        body: (definition.body === undefined
          ? undefined
          : parseJsonContent(message, definition.body)) as Body,
        query: parseQuery(definition.query, message.path.slice(pathname.length + 1)),
        parameter: pathname.slice(prefixOf(definition.path).length),
      })
    },
  }
}

/** The fixed part of a path. */
export function prefixOf(path: string): string {
  return path.split('{')[0] ?? path
}

export function notFound(): ProblemError {
  return new ProblemError('not_found', 'there is nothing at this path')
}

/**
 * Decimals without leading zeros, each name at most once. Attacker-controlled.
 *
 * @throws ProblemError `payload_invalid` for another form.
 */
function parseQuery<Query extends string>(
  definitions: Readonly<Record<Query, QueryParameter>> | undefined,
  text: string,
): Readonly<Record<Query, number>> {
  const known = Object.entries(definitions ?? {}) as [Query, QueryParameter][]
  const values = new Map<string, number>()
  for (const part of text === '' ? [] : text.split('&')) {
    const [, name = '', digits] = /^([a-z]+)=(0|[1-9][0-9]{0,15})$/.exec(part) ?? []
    const parameter = known.find(([other]) => other === name)?.[1]
    const value = Number(digits)
    const isWithin = parameter !== undefined && value >= parameter.minimum && value <= parameter.maximum
    if (!isWithin || values.has(name)) throw badQuery(known)
    values.set(name, value)
  }
  return Object.fromEntries(
    known.map(([name, parameter]) => [name, values.get(name) ?? parameter.default]),
  ) as Record<Query, number>
}

function badQuery(known: readonly (readonly [string, QueryParameter])[]): ProblemError {
  const allowed = known.map(([name, { minimum, maximum }]) => `${name}=${minimum} to ${maximum}`)
  return new ProblemError('payload_invalid', `the query takes ${allowed.join(' and ')}`)
}
