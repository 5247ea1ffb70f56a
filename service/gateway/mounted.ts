/** A Hono app mounted as the backend: its handlers receive an ordinary `Request` and `c.var.caller`. */
import { Hono } from 'hono'
import { ProtocolError } from 'miniseal-protocol/errors'
import type { RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { canonicalPath, pathWithoutQuery } from 'miniseal-protocol/http-signatures/message-rules'
import { withDecodedContent } from '../messages/content.ts'
import { ProblemError } from '../problems/problem-error.ts'
import type { Backend, Caller } from './backend.ts'
import { isPassable, passableRule, passedFields, replyFields } from './fields.ts'

/** The variables of a mounted app, in `c.var`. */
export interface InnerVariables {
  readonly caller: Caller
}

export type InnerApp = Hono<{ Variables: InnerVariables }>

export interface MountOptions {
  /** Whether all of its requests are idempotent, see {@link Backend.isIdempotent}. */
  readonly isIdempotent?: boolean
  /** Fields that its requests have besides the usual ones, as `fields` of a gateway route. */
  readonly fields?: readonly string[]
}

/** The answer of the app's `notFound`, as opposed to a handler's own 404. */
class NoRoute extends Response {}

/**
 * A backend that runs `app`. A ProblemError of a handler keeps its code; any other error becomes `internal`, also one of the
 * protocol's own classes, which a library that the handler calls may throw after an effect.
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

/** A code that the handler did not choose. */
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
