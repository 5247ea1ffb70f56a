/** A backend: it answers a verified request that is not to one of the channel's own routes. A Hono app can be one. */
import { Hono } from 'hono'
import { ProtocolError } from 'miniseal-protocol/errors'
import type { Field, RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import type { Caller } from 'miniseal-protocol/http-signatures/gateway-signature'
import { canonicalPath, pathWithoutQuery } from 'miniseal-protocol/http-signatures/message-rules'
import { withDecodedContent } from '../messages/content.ts'
import { ProblemError } from '../problems/problem-error.ts'
import { isPassable, passableRule, passedFields, replyFields } from './fields.ts'
import type { RouteState } from './upstream-pool.ts'

export interface Backend {
  /**
   * Whether requests like this one are idempotent: those of one user with one Idempotency-Key have one effect and the
   * same answer, concurrent ones included. A request that was lost in a crash is then run again when the client repeats
   * it. Absent: not idempotent.
   */
  isIdempotent?(request: RequestMessage): boolean
  /**
   * Answers a request, whose nonce is durable. The backend commits its own writes.
   *
   * @throws ProblemError `not_found`, `upstream_unavailable` (with the effect `none` where the backend certainly did not receive
   *   the request), `step_up_required`, or the backend's own; any other error becomes `internal`.
   */
  answer(request: RequestMessage, caller: Caller): Promise<ResponseMessage>
  /** The name of the request's route, from a closed set, for limits per route. Absent: the first segment of its path. */
  routeOf?(request: RequestMessage): string | undefined
  /** The text of the confirmation prompt when the channel requires step-up. `undefined`: method and path. */
  summaryOf?(request: RequestMessage): string | undefined
  /** State of each route, for metrics and health. */
  routes?(): readonly RouteState[]
  close(): Promise<void>
}

/** The data of a call that a trace may record: no path, since paths contain names of accounts and orders. */
export interface BackendCall {
  readonly method: string
  /** The prefix of the route, from the configuration. */
  readonly route: string
}

export interface BackendTrace {
  /**
   * Traces one call.
   *
   * @param send makes the call, with the trace fields to pass on
   */
  run(
    call: BackendCall,
    send: (fields: readonly Field[]) => Promise<ResponseMessage>,
  ): Promise<ResponseMessage>
}

/** Makes the call without a trace. */
export const untracedBackend: BackendTrace = { run: (_, send) => send([]) }

/** The variables of a mounted app, in `c.var`. */
export interface InnerVariables {
  readonly caller: Caller
}

export type InnerApp = Hono<{ Variables: InnerVariables }>

export interface MountOptions {
  /** Whether all of its requests are idempotent, see {@link Backend.isIdempotent}. */
  readonly isIdempotent?: boolean
  /** Additional request fields to pass to the app, as `fields` of a gateway route. */
  readonly fields?: readonly string[]
}

/** The answer of the app's `notFound`, as opposed to a handler's own 404. */
class NoRoute extends Response {}

/**
 * A backend that runs `app`. A ProblemError of a handler keeps its code; any other error becomes `internal`, including a
 * ProtocolError, which a library may throw after an effect.
 *
 * @throws Error for a field of `options.fields` that is never passed on.
 */
export function mountApp(
  app: InnerApp,
  close: () => Promise<void> = async () => {},
  options: MountOptions = {},
): Backend {
  const { isIdempotent = false, fields = [] } = options
  const refused = fields.find((name) => !isPassable(name))
  if (refused !== undefined) throw new Error(`the field ${JSON.stringify(refused)} must be ${passableRule}`)
  const outer = new Hono<{ Bindings: InnerVariables; Variables: InnerVariables }>()
  outer.use(async function callerOfRequest(c, next) {
    c.set('caller', c.env.caller)
    await next()
  })
  outer.route('/', app)
  outer.notFound(() => new NoRoute(null, { status: 404 }))
  outer.onError((error) => {
    throw isForeign(error) ? new Error('the handler failed', { cause: error }) : error
  })
  return {
    async answer(message, caller) {
      return await withDecodedContent(message, async (content) => {
        const response = await outer.fetch(requestOf(message, content, fields), { caller })
        if (response instanceof NoRoute) throw new ProblemError('not_found', 'there is nothing at this path')
        return await readResponse(response)
      })
    },
    close,
    isIdempotent: () => isIdempotent,
  }
}

/** Whether the handler did not choose the code of the error. */
function isForeign(error: unknown): boolean {
  return error instanceof ProtocolError && !(error instanceof ProblemError)
}

function requestOf(
  { authority, path, method, fields }: RequestMessage,
  content: Uint8Array,
  listed: readonly string[],
): Request {
  const passed = passedFields(fields, listed).filter(([name]) => name !== 'content-encoding')
  // Route patterns compare text: equivalent spellings of a path must not differ.
  const query = path.slice(pathWithoutQuery(path).length)
  return new Request(`https://${authority}${canonicalPath(path)}${query}`, {
    method,
    headers: passed.map(([name, value]): [string, string] => [name, value]),
    ...(content.length > 0 ? { body: new Uint8Array(content) } : {}),
  })
}

async function readResponse(response: Response): Promise<ResponseMessage> {
  return {
    status: response.status,
    fields: replyFields([...response.headers]),
    content: new Uint8Array(await response.arrayBuffer()),
  }
}
