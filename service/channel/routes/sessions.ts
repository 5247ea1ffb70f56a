/** The inner routes of sessions: they decide and leave the writing to the exchange (protocol, section 6). */

import { ProtocolError, refuseFormat } from 'miniseal-protocol/errors'
import type { RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { suite1 } from 'miniseal-protocol/primitives/suite'
import { decodeBase64Url, encodeBase64Url } from 'miniseal-protocol/text'
import type { Caller } from '../../gateway/backend.ts'
import { shapedReply } from '../../messages/json.ts'
import type { TokenIssuer } from '../../sessions/tokens.ts'
import { renewalPath, tokenLifetime, tokenType } from '../../sessions/tokens.ts'
import type { SessionRecord } from '../../store/sessions.ts'
import type { Store, Write } from '../../store/store.ts'
import type { SessionView } from './shapes.ts'
import { currentSessionReply, endedReply, sessionsReply, tokenReply } from './shapes.ts'

/** What one of the channel's own handlers wants to happen; the exchange makes it so, then releases the reply. */
export interface RouteResult {
  readonly reply: ResponseMessage
  readonly writes: readonly Write[]
}

/** What the handlers look at; none of it writes. */
export interface SessionServices {
  readonly store: Pick<Store, 'listSessions'>
  readonly tokens: TokenIssuer
  /** UNIX seconds. */
  readonly now: () => number
}

/**
 * Decides a request under `/sessions`; `undefined` when the path is not one of ours.
 *
 * @throws ProtocolError `not_found` for a path under `/sessions` that nothing answers.
 */
export async function handleSessionRoute(
  services: SessionServices,
  { method, path }: RequestMessage,
  caller: Caller,
): Promise<RouteResult | undefined> {
  const [name] = path.split('?')
  if (name !== '/sessions' && !name?.startsWith('/sessions/')) return undefined
  const rest = name.slice('/sessions'.length)
  if (path !== name) throw new ProtocolError('not_found', 'routes of sessions take no query')
  if (method === 'GET' && rest === '') return await listSessions(services, caller)
  if (method === 'GET' && rest === '/current') return await currentSession(services, caller)
  if (method === 'POST' && path === renewalPath) return await renewToken(services, caller)
  if (method === 'DELETE' && rest === '') return await endOtherSessions(services, caller)
  if (method === 'DELETE' && rest.startsWith('/')) return endSession(services, caller, rest.slice(1))
  throw new ProtocolError('not_found', 'there is nothing at this path')
}

async function activeSessions(services: SessionServices, caller: Caller): Promise<readonly SessionRecord[]> {
  const now = services.now()
  const all = await services.store.listSessions(caller.user)
  return all.filter(({ endedAt, expiresAt, deviceRevokedAt }) => {
    return endedAt === null && expiresAt > now && deviceRevokedAt === null
  })
}

function describe(session: SessionRecord, caller: Caller): SessionView {
  const id = encodeBase64Url(session.id)
  return {
    id,
    current: id === caller.session,
    device: { id: session.device, name: session.deviceName, platform: session.devicePlatform },
    created_at: session.createdAt,
    last_seen_at: session.lastSeenAt,
    expires_at: session.expiresAt,
  }
}

async function listSessions(services: SessionServices, caller: Caller): Promise<RouteResult> {
  const sessions = (await activeSessions(services, caller)).map((session) => describe(session, caller))
  return { reply: shapedReply(sessionsReply, 200, { sessions }), writes: [] }
}

async function currentSession(services: SessionServices, caller: Caller): Promise<RouteResult> {
  const sessions = await activeSessions(services, caller)
  const current = sessions.find(({ id }) => encodeBase64Url(id) === caller.session)
  if (current === undefined) throw new ProtocolError('session_ended', 'the session has ended')
  return {
    reply: shapedReply(currentSessionReply, 200, { ...describe(current, caller), user: caller.user }),
    writes: [],
  }
}

async function renewToken(services: SessionServices, caller: Caller): Promise<RouteResult> {
  const now = services.now()
  const subject = { user: caller.user, appid: caller.appid, sid: caller.session, device: caller.device }
  const token = await services.tokens.issue(subject, now)
  const body = { access_token: token, token_type: tokenType, expires_in: tokenLifetime, time: now } as const
  return { reply: shapedReply(tokenReply, 201, body), writes: [] }
}

/** The count is of the moment before: a session that opens meanwhile ends with the others, and is not counted. */
async function endOtherSessions(services: SessionServices, caller: Caller): Promise<RouteResult> {
  const others = (await activeSessions(services, caller)).filter(({ id }) => {
    return encodeBase64Url(id) !== caller.session
  })
  const except = decodeBase64Url(caller.session)
  const { user } = caller
  return {
    reply: shapedReply(endedReply, 200, { ended: others.length }),
    writes: [{ kind: 'end-other-sessions', user, except, reason: 'revoked', now: services.now() }],
  }
}

function endSession(services: SessionServices, caller: Caller, name: string): RouteResult {
  const text = name === 'current' ? caller.session : name
  const id = refuseFormat('not_found', () => decodeBase64Url(text))
  if (id.length !== suite1.sessionIdLength) throw new ProtocolError('not_found', 'there is no such session')
  const reason = text === caller.session ? 'logout' : 'revoked'
  return {
    reply: noContent(),
    writes: [{ kind: 'end-session', id, user: caller.user, reason, now: services.now() }],
  }
}

/** `204`, which nobody may keep. */
export function noContent(): ResponseMessage {
  return { status: 204, fields: [['cache-control', 'no-store']], content: new Uint8Array(0) }
}
