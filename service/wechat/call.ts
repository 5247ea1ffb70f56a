/** One call of WeChat's API: sent once, its answer parsed, its outcome reported. */
import type { z } from 'zod'
import { WechatFailure } from './failure.ts'
import { envelopeReply, findRequestId } from './replies.ts'
import type { Transport, WechatRequest } from './transport.ts'

/** What may be logged and counted of one HTTP call. Holds no secret, openid, code, key or token. */
export interface WechatCall {
  /** For example `sns/jscode2session`. */
  readonly api: string
  /** `refused` = WeChat answered with an errcode; `failed` = no usable answer. */
  readonly outcome: 'ok' | 'refused' | 'failed'
  readonly errcode?: number
  /** WeChat's request id, present in most refusals. */
  readonly rid?: string
  readonly durationMs: number
}

export interface Caller {
  /**
   * Exactly one HTTP call.
   * @throws WechatFailure; never another error.
   */
  call<T>(request: WechatRequest, reply: z.ZodType<T>, signal: AbortSignal): Promise<T>
  /** Unix seconds of the last well-formed answer, a refusal included. */
  lastSeen(): number | undefined
}

/** `now` in unix seconds. `onCall` must not throw. */
export function createCaller(
  transport: Transport,
  now: () => number,
  onCall: ((call: WechatCall) => void) | undefined,
): Caller {
  let seen: number | undefined

  async function call<T>(request: WechatRequest, reply: z.ZodType<T>, signal: AbortSignal): Promise<T> {
    const started = performance.now()
    const result = await settle(transport, request, reply, signal)
    const failure = result instanceof WechatFailure ? result : undefined
    if (failure === undefined || failure.kind === 'refused') seen = now()
    onCall?.(record(request.api, failure, performance.now() - started))
    if (result instanceof WechatFailure) throw result
    return result
  }

  return { call, lastSeen: () => seen }
}

async function settle<T>(
  transport: Transport,
  request: WechatRequest,
  reply: z.ZodType<T>,
  signal: AbortSignal,
): Promise<T | WechatFailure> {
  try {
    return parseReply(await transport.send(request, signal), reply)
  } catch (error) {
    if (error instanceof WechatFailure) return error
    throw error
  }
}

function parseReply<T>(answer: unknown, reply: z.ZodType<T>): T {
  const envelope = envelopeReply.safeParse(answer)
  if (!envelope.success) throw malformed(envelope.error)
  const { errcode, errmsg } = envelope.data
  if (errcode) throw new WechatFailure('refused', `errcode ${errcode}`, errcode, findRequestId(errmsg))
  const parsed = reply.safeParse(answer)
  if (!parsed.success) throw malformed(parsed.error)
  return parsed.data
}

/** Names the fields, which are ours, and not the values, which may be secret. */
function malformed(error: z.ZodError): WechatFailure {
  const fields = error.issues.map((issue) => issue.path.join('.') || 'the whole answer')
  return new WechatFailure('malformed', fields.join(', '))
}

function record(api: string, failure: WechatFailure | undefined, durationMs: number): WechatCall {
  if (failure === undefined) return { api, outcome: 'ok', durationMs }
  return {
    api,
    outcome: failure.kind === 'refused' ? 'refused' : 'failed',
    ...(failure.errcode !== undefined && { errcode: failure.errcode }),
    ...(failure.rid !== undefined && { rid: failure.rid }),
    durationMs,
  }
}
