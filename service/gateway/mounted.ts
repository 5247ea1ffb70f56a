/** The inner app: handlers are ordinary Hono routes that receive an ordinary `Request` and `c.var.caller`. */
import { Hono } from 'hono'
import { ProtocolError } from 'miniseal-protocol/errors'
import type { RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { canonicalPath, pathWithoutQuery } from 'miniseal-protocol/http-signatures/message-rules'
import { withDecodedContent } from '../messages/content.ts'
import type { Backend, Caller } from './backend.ts'
import { replyFields } from './reply-fields.ts'
import { isPassable, passableRule, passedFields } from './request-fields.ts'

/** What a mounted app finds in `c.var`. */
export interface InnerVariables {
  readonly caller: Caller
}

/** The type of a mounted app. */
export type InnerApp = Hono<{ Variables: InnerVariables }>

export interface MountOptions {
  /** For all of its requests; see {@link Backend.isIdempotent}. */
  readonly isIdempotent?: boolean
  /** Names of fields that its requests have besides the usual ones, as the routes of a gateway list them. */
  readonly fields?: readonly string[]
}

/** The answer of a mounted app that has no such route, told apart from a handler's own 404. */
class NoRoute extends Response {}

/**
 * Runs `app` for every request that is not the channel's own. Errors that a handler throws as ProtocolError keep
 * their code; others become `internal`.
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
    throw error
  })
  return {
    async answer(message, caller) {
      return await withDecodedContent(message, async (content) => {
        const response = await outer.fetch(requestOf(message, content, fields), { caller })
        if (response instanceof NoRoute) throw new ProtocolError('not_found', 'there is nothing at this path')
        return await readResponse(response)
      })
    },
    close,
    isIdempotent: () => isIdempotent,
  }
}

function requestOf(
  { authority, path, method, fields }: RequestMessage,
  content: Uint8Array,
  listed: readonly string[],
): Request {
  const passed = passedFields(fields, listed).filter(([name]) => name !== 'content-encoding')
  // Two spellings of one path must not differ for patterns that are compared with the text.
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
