/** The inner routes of sessions: they decide and leave the writing to the exchange (protocol, section 6). */
import { ProtocolError, refuseFormat } from '../../crypto/errors.ts'
import { suite1 } from '../../crypto/suite.ts'
import { decodeBase64Url, encodeBase64Url } from '../../crypto/text.ts'
import type { Command } from '../exchange/authorize.ts'
import { renewalPath } from '../exchange/authorize.ts'
import type { Decision } from '../exchange/carry-out.ts'
import type { ExchangeContext } from '../exchange/context.ts'
import { jsonReply } from '../http/json.ts'
import type { SessionRecord } from '../store/store.ts'
import { tokenLifetime, tokenType } from './tokens.ts'

/**
 * Decides a request under `/sessions`; `undefined` when the path is not one of ours.
 *
 * @throws ProtocolError `not_found` for a path under `/sessions` that nothing answers.
 */
export async function decideSession(
  context: ExchangeContext,
  command: Command,
): Promise<Decision | undefined> {
  const { method, path } = command.message
  const [name] = path.split('?')
  if (name !== '/sessions' && !name?.startsWith('/sessions/')) return undefined
  const rest = name.slice('/sessions'.length)
  if (path !== name) throw new ProtocolError('not_found', 'routes of sessions take no query')
  if (method === 'GET' && rest === '') return await listSessions(context, command)
  if (method === 'GET' && rest === '/current') return await currentSession(context, command)
  if (method === 'POST' && path === renewalPath) return await renewToken(context, command)
  if (method === 'DELETE' && rest.startsWith('/')) return endSession(context, command, rest.slice(1))
  throw new ProtocolError('not_found', 'there is nothing at this path')
}

async function activeSessions(context: ExchangeContext, command: Command): Promise<readonly SessionRecord[]> {
  const now = context.now()
  const all = await context.store.listSessions(command.caller.user)
  return all.filter(({ endedAt, expiresAt, deviceRevokedAt }) => {
    return endedAt === null && expiresAt > now && deviceRevokedAt === null
  })
}

function describe(session: SessionRecord, command: Command): Record<string, unknown> {
  const id = encodeBase64Url(session.id)
  return {
    id,
    current: id === command.caller.session,
    device: { id: session.device, name: session.deviceName, platform: session.devicePlatform },
    created_at: session.createdAt,
    last_seen_at: session.lastSeenAt,
    expires_at: session.expiresAt,
  }
}

async function listSessions(context: ExchangeContext, command: Command): Promise<Decision> {
  const sessions = (await activeSessions(context, command)).map((session) => describe(session, command))
  return { reply: jsonReply(200, { sessions }), writes: [] }
}

async function currentSession(context: ExchangeContext, command: Command): Promise<Decision> {
  const sessions = await activeSessions(context, command)
  const current = sessions.find(({ id }) => encodeBase64Url(id) === command.caller.session)
  if (current === undefined) throw new ProtocolError('session_ended', 'the session has ended')
  return { reply: jsonReply(200, { ...describe(current, command), user: command.caller.user }), writes: [] }
}

async function renewToken(context: ExchangeContext, { caller }: Command): Promise<Decision> {
  const now = context.now()
  const subject = { user: caller.user, appid: caller.appid, sid: caller.session, device: caller.device }
  const token = await context.tokens.issue(subject, now)
  const body = { access_token: token, token_type: tokenType, expires_in: tokenLifetime, time: now }
  return { reply: jsonReply(201, body), writes: [] }
}

function endSession(context: ExchangeContext, { caller }: Command, name: string): Decision {
  const text = name === 'current' ? caller.session : name
  const id = refuseFormat('not_found', () => decodeBase64Url(text))
  if (id.length !== suite1.sessionIdLength) throw new ProtocolError('not_found', 'there is no such session')
  const reason = text === caller.session ? 'logout' : 'revoked'
  return {
    reply: { status: 204, fields: [['cache-control', 'no-store']], content: new Uint8Array(0) },
    writes: [{ kind: 'end-session', id, user: caller.user, reason, now: context.now() }],
  }
}
