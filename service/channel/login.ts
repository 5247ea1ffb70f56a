/** Login: a WeChat code and a new device key become a session (protocol, section 6). */

import { ProtocolError, refuseFormat } from 'miniseal-protocol/errors'
import type { RequestMessage } from 'miniseal-protocol/frames/binary-http'
import type { RequestSignature } from 'miniseal-protocol/http-signatures/signed-request'
import { suite1 } from 'miniseal-protocol/primitives/suite'
import { keyThumbprint } from 'miniseal-protocol/primitives/thumbprint'
import { decodeBase64Url, encodeBase64Url, encodeUtf8 } from 'miniseal-protocol/text'
import { z } from 'zod'
import { newDeviceEvents } from '../events/device-events.ts'
import { secretContext } from '../keys/wrapping.ts'
import { parseJsonContent, shapedReply } from '../messages/json.ts'
import { atStep, atStepAsync } from '../problems/problem-error.ts'
import { sessionKeyContext } from '../sessions/open-sessions.ts'
import { tokenLifetime, tokenType } from '../sessions/tokens.ts'
import type { Write } from '../store/store.ts'
import type { WechatIdentity } from '../wechat/client.ts'
import type { Answer } from './answer.ts'
import { nonceClaim } from './authorize.ts'
import type { ExchangeContext } from './context.ts'
import { assertSignedBy } from './explain-signature-base.ts'
import { assessRisk, identify } from './login-risk.ts'
import type { OpenedHandshake } from './open.ts'
import { pairwiseSubject } from './pairwise-subject.ts'
import type { RequestContext } from './request-context.ts'
import { deviceLeaf, loginLeaf, signatureOf } from './request-context.ts'
import { loginReply } from './routes/shapes.ts'
import { readSignature } from './verify.ts'

/** How long a session lives, in seconds. */
const sessionLifetime = 7_200

/** A code lives five minutes; its hash is kept twice as long (WeChat, code2Session). */
const codeRetention = 600

/** A device that was not seen for so many seconds takes no place: its key may have gone with the phone's storage. */
const deviceInUse = 90 * 86_400

/** Kept as it is, and shown to the user: no control character, above all not U+0000, which PostgreSQL cannot store. */
const shortText = z.string().regex(/^[^\p{Cc}]{1,64}$/u)

export const loginBody = z.object({
  appid: z.string().regex(/^[A-Za-z0-9_-]{2,64}$/),
  code: z.string().min(1).max(512),
  /** b64u of the hash of the handshake that the login travels in. */
  handshake: z.string().length(43),
  device: z.strictObject({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string().length(43) }),
  client: z
    .object({ platform: shortText.optional(), sdk: shortText.optional(), base: shortText.optional() })
    .optional(),
})

type LoginBody = z.infer<typeof loginBody>

/** Made only by {@link verifyLogin}: signed for this handshake, in time, with an acceptable key that the body itself names. */
interface VerifiedLogin {
  readonly body: LoginBody
  readonly publicKey: Uint8Array
  readonly signature: RequestSignature
}

/** A login of somebody whom WeChat has named, and whom the risk policy lets in. */
interface AdmittedLogin {
  readonly login: VerifiedLogin
  readonly identity: WechatIdentity
  readonly requiredAcr: 'soter' | null
}

/**
 * Answers the request of a handshake frame. The code reaches WeChat at most once, whatever the client repeats.
 *
 * @throws Refusal with the code of the first check that fails.
 */
export async function logIn(
  context: ExchangeContext,
  opened: OpenedHandshake,
  request: RequestMessage,
  requestContext: RequestContext,
): Promise<Answer> {
  const login = verifyLogin(context, opened, request)
  requestContext.signature = signatureOf(login.signature, login.publicKey)
  requestContext.subject = { device: login.signature.keyid }
  requestContext.app = login.body.appid
  await claimLogin(context, login)
  const identity = await atStepAsync('login', () => identify(context, opened, login.body))
  const requiredAcr = await atStepAsync('login', () =>
    assessRisk(context, opened, login.body.appid, identity),
  )
  const parts = { login, identity, requiredAcr }
  return await atStepAsync('login', () => openSession(context, opened, parts, requestContext))
}

function verifyLogin(
  context: ExchangeContext,
  opened: OpenedHandshake,
  request: RequestMessage,
): VerifiedLogin {
  atStep('handler', () => {
    if (request.method === 'POST' && request.path === '/sessions') return
    throw new ProtocolError('not_found', 'a handshake holds POST /sessions and nothing else')
  })
  const signature = readSignature(context, request)
  const { body, publicKey } = atStep('key', () => readDeviceKey(context, opened, request, signature))
  atStep('verify', () => assertSignedBy(context, signature, publicKey))
  atStep('login', () => {
    if (!context.wechat.hasApp(body.appid))
      throw new ProtocolError('payload_invalid', 'the appid is not served here')
  })
  return { body, publicKey, signature }
}

function readDeviceKey(
  context: ExchangeContext,
  opened: OpenedHandshake,
  request: RequestMessage,
  signature: RequestSignature,
): { body: LoginBody; publicKey: Uint8Array } {
  const body = parseJsonContent(request, loginBody)
  // Else whoever has the agreement key could move the device's signature into a handshake of their own.
  if (body.handshake !== encodeBase64Url(opened.handshakeHash)) {
    throw new ProtocolError('payload_invalid', 'the login was signed for another handshake')
  }
  const publicKey = refuseFormat('device_key_refused', () => decodeBase64Url(body.device.x))
  // With a small-order key one signature verifies for every message; with a mixed-order one, verifiers disagree.
  if (publicKey.length !== suite1.keyLength || !context.primitives.isPrimeOrderKey(publicKey)) {
    throw new ProtocolError('device_key_refused', 'the device key is not a canonical key of prime order')
  }
  if (keyThumbprint(context.primitives, publicKey) !== signature.keyid) {
    throw new ProtocolError('key_unknown', 'the keyid is not the thumbprint of the device key')
  }
  return { body, publicKey }
}

/** Uses up nonce and code in one transaction, before WeChat is asked. */
async function claimLogin(context: ExchangeContext, { body, signature }: VerifiedLogin): Promise<void> {
  await atStepAsync('claim', async () => {
    context.log.assertAcceptingEntries()
    const hash = context.primitives.sha256(encodeUtf8(`${body.appid}\n${body.code}`))
    const result = await context.store.commit([
      nonceClaim(context, signature),
      { kind: 'claim-login-code', hash, expiresAt: context.now() + codeRetention },
    ])
    if (result.kind === 'committed') return
    if (result.write.kind === 'claim-nonce')
      throw new ProtocolError('replayed', 'the request was received before')
    throw new ProtocolError('login_code_used', 'the login code was used before')
  })
}

async function openSession(
  context: ExchangeContext,
  opened: OpenedHandshake,
  { login: { body, publicKey, signature }, identity, requiredAcr }: AdmittedLogin,
  requestContext: RequestContext,
): Promise<Answer> {
  const now = context.now()
  const device = signature.keyid
  const user = pairwiseSubject(context, body.appid, identity.openid, now)
  const id = context.random(suite1.sessionIdLength)
  const sid = encodeBase64Url(id)
  requestContext.subject = { user, device, session: sid, acr: 'session' }
  const known = await context.store.findDevice(device)
  const platform = body.client?.platform
  const events = known === undefined ? await newDeviceEvents(context, user, device, platform) : []
  const token = await context.tokens.issue({ user, appid: body.appid, sid, device }, now)
  const reply = shapedReply(loginReply, 201, {
    session: { id: sid, expires_at: now + sessionLifetime },
    user,
    device: { id: device, new: known === undefined },
    access_token: token,
    token_type: tokenType,
    expires_in: tokenLifetime,
    time: now,
  })
  const writes = sessionWrites(context, opened, {
    user,
    device,
    id,
    appid: body.appid,
    publicKey,
    now,
    identity,
    platform,
    requiredAcr,
  })
  const leaves = [
    loginLeaf(context, requestContext, reply),
    ...(known === undefined ? [deviceLeaf(context, requestContext)] : []),
  ]
  const result = await context.appender.commit({ writes: [...writes, ...events], leaves })
  if (result.kind === 'refused') throw await sessionRefused(context, result.write, user, device)
  context.socket?.bind({ id, user, keys: opened.keys, expiresAt: now + sessionLifetime })
  return { reply, request: requestContext.request, receipt: result.receipt }
}

interface SessionParts {
  readonly user: string
  readonly device: string
  readonly id: Uint8Array
  readonly appid: string
  readonly publicKey: Uint8Array
  readonly now: number
  readonly identity: WechatIdentity
  readonly platform: string | undefined
  readonly requiredAcr: 'soter' | null
}

/** User, device and session, for one transaction, every secret wrapped. */
function sessionWrites(
  context: ExchangeContext,
  opened: OpenedHandshake,
  parts: SessionParts,
): readonly Write[] {
  const { user, device, id, appid, publicKey, now, identity, platform, requiredAcr } = parts
  const wrap = (text: string, column: 'openid_wrapped' | 'session_key_wrapped'): Uint8Array =>
    context.wrapper.wrap(encodeUtf8(text), secretContext(`users.${column}`, [user]))
  return [
    {
      kind: 'upsert-user',
      id: user,
      app: appid,
      openidWrapped: wrap(identity.openid, 'openid_wrapped'),
      sessionKeyWrapped: wrap(identity.sessionKey, 'session_key_wrapped'),
      now,
    },
    { kind: 'admit-device', user, device, limit: context.maxDevices, seenAfter: now - deviceInUse },
    {
      kind: 'upsert-device',
      id: device,
      user,
      publicKey,
      now,
      ...(platform === undefined ? {} : { platform }),
    },
    {
      kind: 'insert-session',
      session: {
        id,
        user,
        device,
        app: appid,
        c2sWrapped: context.wrapper.wrap(opened.keys.c2s, sessionKeyContext('c2s', id)),
        s2cWrapped: context.wrapper.wrap(opened.keys.s2c, sessionKeyContext('s2c', id)),
        createdAt: now,
        expiresAt: now + sessionLifetime,
        requiredAcr,
      },
    },
  ]
}

async function sessionRefused(
  { store }: ExchangeContext,
  { kind }: Write,
  user: string,
  device: string,
): Promise<Error> {
  if (kind === 'admit-device') {
    return new ProtocolError(
      'device_key_refused',
      'this user has as many devices as allowed: revoke one first',
    )
  }
  if (kind !== 'upsert-device') return new Error(`the store refused ${kind} of a new session`)
  const taken = await store.findDevice(device)
  if (taken?.user === user && taken.revokedAt !== null)
    return new ProtocolError('key_revoked', 'the signing key was revoked')
  return new ProtocolError('device_key_refused', 'the device key is enrolled for somebody else')
}
