/** `/sessions`: login, the sessions of a user, and the next access token (protocol, section 6). */
import { refuseFormat } from 'miniseal-protocol/errors'
import type { Caller } from 'miniseal-protocol/http-signatures/gateway-signature'
import { suite1 } from 'miniseal-protocol/primitives/suite'
import { decodeBase64Url, encodeBase64Url } from 'miniseal-protocol/text'
import { z } from 'zod'
import { jsonReply, noContent } from '../../messages/content.ts'
import { ProblemError } from '../../problems/problem-error.ts'
import { tokenLifetime, tokenType } from '../../sessions/tokens.ts'
import type { SessionRecord } from '../../store/sessions.ts'
import type { ExchangeContext } from '../context.ts'
import { defineRoute, type RouteResult, seconds, sessionId, thumbprint } from './route.ts'

/** Stored and shown to the user. No control characters: PostgreSQL cannot store U+0000. */
const shortText = z.string().regex(/^[^\p{Cc}]{1,64}$/u)

export const loginBody = z.object({
  appid: z.string().regex(/^[A-Za-z0-9_-]{2,64}$/),
  code: z.string().min(1).max(512),
  /** b64u of the hash of the handshake that carries the login. */
  handshake: z.string().length(43),
  device: z.strictObject({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string().length(43) }),
  client: z
    .object({ platform: shortText.optional(), sdk: shortText.optional(), base: shortText.optional() })
    .optional(),
})

const session = z.strictObject({
  id: sessionId,
  current: z.boolean(),
  device: z.strictObject({
    id: thumbprint,
    name: z.string().nullable(),
    platform: z.string().nullable(),
  }),
  created_at: seconds,
  last_seen_at: seconds,
  expires_at: seconds,
})

const sessionsReply = z.strictObject({ sessions: z.array(session) })
const currentSessionReply = z.strictObject({ ...session.shape, user: z.string() })
const endedReply = z.strictObject({ ended: z.number().int().min(0) })

const token = {
  access_token: z.string(),
  token_type: z.literal(tokenType),
  expires_in: z.number().int().positive(),
  time: seconds,
}
const tokenReply = z.strictObject(token)

export const loginReply = z.strictObject({
  session: z.strictObject({ id: sessionId, expires_at: seconds }),
  user: z.string(),
  device: z.strictObject({ id: thumbprint, new: z.boolean() }),
  ...token,
})

async function activeSessions(
  { store, now }: ExchangeContext,
  user: string,
): Promise<readonly SessionRecord[]> {
  const time = now()
  const all = await store.listSessions(user)
  return all.filter(({ endedAt, expiresAt, deviceRevokedAt }) => {
    return endedAt === null && expiresAt > time && deviceRevokedAt === null
  })
}

function describe(record: SessionRecord, caller: Caller): z.infer<typeof session> {
  const id = encodeBase64Url(record.id)
  return {
    id,
    current: id === caller.session,
    device: { id: record.device, name: record.deviceName, platform: record.devicePlatform },
    created_at: record.createdAt,
    last_seen_at: record.lastSeenAt,
    expires_at: record.expiresAt,
  }
}

/** @param name b64u of a session id. Attacker-controlled. @throws ProblemError `not_found` */
function endSession({ now }: ExchangeContext, caller: Caller, name: string): RouteResult {
  const id = refuseFormat('not_found', () => decodeBase64Url(name))
  if (id.length !== suite1.sessionIdLength) throw new ProblemError('not_found', 'there is no such session')
  const reason = name === caller.session ? 'logout' : 'revoked'
  return {
    reply: noContent(),
    writes: [{ kind: 'end-session', id, user: caller.user, reason, now: now() }],
  }
}

export const sessionRoutes = [
  defineRoute({
    id: 'logIn',
    method: 'POST',
    path: '/sessions',
    tag: 'sessions',
    summary: 'Log in: exchange a WeChat code and a device key for a session',
    description:
      'Travels in a handshake frame (0x01) and is signed with the device key that its body contains. The code is sent to WeChat at most once.',
    frame: 'handshake',
    body: loginBody,
    replies: { 201: loginReply },
    idempotency: 'none',
  }),
  defineRoute({
    id: 'listSessions',
    method: 'GET',
    path: '/sessions',
    tag: 'sessions',
    summary: 'List the active sessions of the user',
    replies: { 200: sessionsReply },
    async handler(context, { caller }) {
      const active = await activeSessions(context, caller.user)
      const sessions = active.map((record) => describe(record, caller))
      return { reply: jsonReply(sessionsReply, 200, { sessions }), writes: [] }
    },
  }),
  defineRoute({
    id: 'endOtherSessions',
    method: 'DELETE',
    path: '/sessions',
    tag: 'sessions',
    summary: 'End every other session of the user',
    replies: { 200: endedReply },
    /** The count is taken before the commit: a session opened in between ends too, and is not counted. */
    async handler(context, { caller: { user, session: current } }) {
      const active = await activeSessions(context, user)
      const ended = active.filter(({ id }) => encodeBase64Url(id) !== current).length
      const except = decodeBase64Url(current)
      return {
        reply: jsonReply(endedReply, 200, { ended }),
        writes: [{ kind: 'end-other-sessions', user, except, reason: 'revoked', now: context.now() }],
      }
    },
  }),
  defineRoute({
    id: 'currentSession',
    method: 'GET',
    path: '/sessions/current',
    tag: 'sessions',
    summary: 'Get this session and the pairwise subject of the user',
    replies: { 200: currentSessionReply },
    answerScope: 'session',
    async handler(context, { caller }) {
      const active = await activeSessions(context, caller.user)
      const current = active.find(({ id }) => encodeBase64Url(id) === caller.session)
      if (current === undefined) throw new ProblemError('session_ended', 'the session has ended')
      const body = { ...describe(current, caller), user: caller.user }
      return { reply: jsonReply(currentSessionReply, 200, body), writes: [] }
    },
  }),
  defineRoute({
    id: 'logOut',
    method: 'DELETE',
    path: '/sessions/current',
    tag: 'sessions',
    summary: 'End this session',
    replies: { 204: undefined },
    answerScope: 'session',
    stepUp: 'none',
    handler: (context, { caller }) => endSession(context, caller, caller.session),
  }),
  defineRoute({
    id: 'renewToken',
    method: 'POST',
    path: '/sessions/current/token',
    tag: 'sessions',
    summary: 'Renew the access token',
    description: 'The only route that accepts an expired access token.',
    replies: { 201: tokenReply },
    answerScope: 'session',
    stepUp: 'none',
    tokenAge: 'any',
    async handler({ tokens, now }, { caller: { user, appid, session: sid, device } }) {
      const time = now()
      const accessToken = await tokens.issue({ user, appid, sid, device }, time)
      const reply = jsonReply(tokenReply, 201, {
        access_token: accessToken,
        token_type: tokenType,
        expires_in: tokenLifetime,
        time,
      })
      return { reply, writes: [] }
    },
  }),
  defineRoute({
    id: 'endSession',
    method: 'DELETE',
    path: '/sessions/{id}',
    tag: 'sessions',
    summary: 'End a session of the user; takes effect with the next request of its device',
    parameter: 'The id of the session.',
    replies: { 204: undefined },
    handler: (context, { caller, parameter }) => endSession(context, caller, parameter),
  }),
]
