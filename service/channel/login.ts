/** Login: a WeChat code and a new device key become a session (protocol, section 6). */
import { createHmac } from 'node:crypto'
import { refuseFormat } from 'miniseal-protocol/errors'
import type { RequestMessage } from 'miniseal-protocol/frames/binary-http'
import type { RequestSignature } from 'miniseal-protocol/http-signatures/signed-request'
import { suite1 } from 'miniseal-protocol/primitives/suite'
import { keyThumbprint } from 'miniseal-protocol/primitives/thumbprint'
import { decodeBase64Url, decodeUtf8, encodeBase64Url, encodeUtf8 } from 'miniseal-protocol/text'
import type { z } from 'zod'
import { newDeviceEvents } from '../events/outbox.ts'
import { isPrimeOrderKey } from '../keys/sodium-primitives.ts'
import { type SecretContext, secretContext } from '../keys/wrapping.ts'
import { addressOf } from '../limits/client-address.ts'
import { jsonReply, parseJsonContent } from '../messages/content.ts'
import { atStep, atStepAsync, ProblemError } from '../problems/problem-error.ts'
import type { LoginRisk } from '../sessions/risk-policy.ts'
import { sessionKeyContext } from '../sessions/session-cache.ts'
import { tokenLifetime, tokenType } from '../sessions/tokens.ts'
import type { Write } from '../store/store.ts'
import type { WechatIdentity } from '../wechat/client.ts'
import { nonceClaim, replayed } from './claim.ts'
import type { ExchangeContext } from './context.ts'
import type { OpenedHandshake } from './open.ts'
import { type Answer, deviceEntry, entryOf, evidenceOf, type RequestContext } from './request-context.ts'
import { loginBody, loginReply } from './routes/sessions.ts'
import { assertSignedBy, keyRevoked, readSignature } from './verify.ts'

/** Seconds. */
const sessionLifetime = 7_200

/** Seconds: a code is valid for five minutes (WeChat, code2Session); its hash is kept twice as long. */
const codeRetention = 600

/** Seconds after which an unused device does not count for the limit: its key may be lost with the phone's storage. */
const deviceInUse = 90 * 86_400

type LoginBody = z.infer<typeof loginBody>

/** Made only by {@link verifyLogin}: signed for this handshake, within the window, with an acceptable key that the body contains. */
interface VerifiedLogin {
  readonly body: LoginBody
  readonly publicKey: Uint8Array
  readonly signature: RequestSignature
}

/** A login whose user WeChat has identified and the risk policy admits. */
interface AdmittedLogin {
  readonly login: VerifiedLogin
  readonly identity: WechatIdentity
  readonly requiredAcr: 'soter' | null
}

/**
 * Answers the request of a handshake frame. A code is sent to WeChat at most once, even if the client repeats the login.
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
  requestContext.signature = evidenceOf(login.signature, login.publicKey)
  requestContext.subject = { device: login.signature.keyid }
  requestContext.app = login.body.appid
  await claimLogin(context, login)
  const identity = await atStepAsync('login', () => identify(context, opened, login.body))
  const requiredAcr = await atStepAsync('login', () =>
    assessRisk(context, opened, login.body.appid, identity),
  )
  const parts = { login, identity, requiredAcr }
  return await atStepAsync('login', () => createSession(context, opened, parts, requestContext))
}

function verifyLogin(
  context: ExchangeContext,
  opened: OpenedHandshake,
  request: RequestMessage,
): VerifiedLogin {
  atStep('handler', () => {
    if (request.method === 'POST' && request.path === '/sessions') return
    throw new ProblemError('not_found', 'a handshake contains POST /sessions and nothing else')
  })
  const signature = readSignature(context, request)
  const { body, publicKey } = atStep('key', () => readDeviceKey(context, opened, request, signature))
  atStep('verify', () => assertSignedBy(context, signature, publicKey))
  atStep('login', () => {
    if (!context.wechat.hasApp(body.appid))
      throw new ProblemError('payload_invalid', 'the appid is not configured')
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
  // Otherwise a holder of the agreement key could move the device's signature into another handshake.
  if (body.handshake !== encodeBase64Url(opened.handshakeHash)) {
    throw new ProblemError('payload_invalid', 'the login was signed for another handshake')
  }
  const publicKey = refuseFormat('device_key_refused', () => decodeBase64Url(body.device.x))
  // With a small-order key one signature verifies for every message; for a mixed-order key verifiers disagree.
  if (!isPrimeOrderKey(publicKey)) {
    throw new ProblemError('device_key_refused', 'the device key is not a canonical key of prime order')
  }
  if (keyThumbprint(context.primitives, publicKey) !== signature.keyid) {
    throw new ProblemError('key_unknown', 'the keyid is not the thumbprint of the device key')
  }
  return { body, publicKey }
}

/** Uses up nonce and code in one transaction, before the code is sent to WeChat. */
async function claimLogin(context: ExchangeContext, { body, signature }: VerifiedLogin): Promise<void> {
  await atStepAsync('claim', async () => {
    context.log.assertAcceptingEntries()
    const hash = context.primitives.sha256(encodeUtf8(`${body.appid}\n${body.code}`))
    const result = await context.store.commit([
      nonceClaim(context, signature),
      { kind: 'claim-login-code', hash, expiresAt: context.now() + codeRetention },
    ])
    if (result.kind === 'committed') return
    if (result.write.kind === 'claim-nonce') throw replayed()
    throw new ProblemError('login_code_used', 'the login code was used before')
  })
}

/**
 * Sends the login code to WeChat.
 *
 * @throws ProblemError as {@link WechatClient.exchangeCode} does; `login_blocked` (40226) is recorded as a risk and ends
 *   the login, because there is no openid.
 */
async function identify(
  { wechat }: ExchangeContext,
  { notes }: OpenedHandshake,
  { appid, code }: LoginBody,
): Promise<WechatIdentity> {
  try {
    return await wechat.exchangeCode(appid, code)
  } catch (error) {
    if (error instanceof ProblemError && error.code === 'login_blocked') notes.risk = 'blocked'
    throw error
  }
}

/**
 * Requests the user's risk rank from WeChat and applies the operator's policy. Without a policy no rank is requested.
 *
 * @returns the `acr` that the session requires for every request that may have an effect
 * @throws ProblemError `login_blocked` when the policy refuses the rank; `wechat_unavailable` when it refuses a missing
 *   rank.
 */
async function assessRisk(
  context: ExchangeContext,
  { notes, source }: OpenedHandshake,
  appid: string,
  { openid }: WechatIdentity,
): Promise<'soter' | null> {
  const { riskPolicy } = context
  if (riskPolicy === undefined) return null
  const risk = await riskOf(context, appid, openid, source)
  notes.risk = risk
  switch (riskPolicy[risk]) {
    case 'allow':
      return null
    case 'step-up':
      return 'soter'
    case 'refuse':
      // Retryable: the user was not ranked.
      if (risk === 'unavailable') throw new ProblemError('wechat_unavailable', 'wechat returned no risk rank')
      // The message does not contain the rank, which would help an attacker to lower it.
      throw new ProblemError('login_blocked', 'the login is refused as high-risk')
  }
}

/** A missing rank is `unavailable`, whatever the reason. */
async function riskOf(
  { wechat }: ExchangeContext,
  appid: string,
  openid: string,
  source: string,
): Promise<LoginRisk> {
  const address = addressOf(source)
  if (address === undefined) return 'unavailable'
  try {
    return await wechat.riskRank(appid, openid, address)
  } catch (error) {
    // The log line of the call has errcode and rid.
    if (error instanceof ProblemError) return 'unavailable'
    throw error
  }
}

/** The pairwise subject of a person in one app: stable, and meaningless without the service's key. */
function pairwiseSubject(context: ExchangeContext, appid: string, openid: string, now: number): string {
  const { secretKey } = context.keyring.current('lookup', now)
  const digest = createHmac('sha256', secretKey).update(`${appid}\n${openid}`, 'utf8').digest()
  return `u_${encodeBase64Url(new Uint8Array(digest.subarray(0, 18)))}`
}

async function createSession(
  context: ExchangeContext,
  opened: OpenedHandshake,
  admitted: AdmittedLogin,
  requestContext: RequestContext,
): Promise<Answer> {
  const { body, signature } = admitted.login
  const now = context.now()
  const device = signature.keyid
  const user = pairwiseSubject(context, body.appid, admitted.identity.openid, now)
  const id = context.random(suite1.sessionIdLength)
  const sid = encodeBase64Url(id)
  requestContext.subject = { user, device, session: sid, acr: 'session' }
  const known = await context.store.findDevice(device)
  const platform = body.client?.platform
  const events = known === undefined ? await newDeviceEvents(context, user, device, platform) : []
  const token = await context.tokens.issue({ user, appid: body.appid, sid, device }, now)
  const reply = jsonReply(loginReply, 201, {
    session: { id: sid, expires_at: now + sessionLifetime },
    user,
    device: { id: device, new: known === undefined },
    access_token: token,
    token_type: tokenType,
    expires_in: tokenLifetime,
    time: now,
  })
  const writes = sessionWrites(context, opened, admitted, { user, id, now })
  const leaves = [
    entryOf(context, requestContext, 'login', { reply }),
    ...(known === undefined ? [deviceEntry(context, requestContext)] : []),
  ]
  const result = await context.appender.commit({ writes: [...writes, ...events], leaves })
  if (result.kind === 'refused') throw await refusalOfWrite(context, result.write, user, device)
  context.socket?.bind({ id, user, keys: opened.keys, expiresAt: now + sessionLifetime })
  return { reply, request: requestContext.request, receipt: result.receipt }
}

/** User, device and session, for one transaction, with every secret wrapped. */
function sessionWrites(
  context: ExchangeContext,
  opened: OpenedHandshake,
  { login, identity, requiredAcr }: AdmittedLogin,
  { user, id, now }: { readonly user: string; readonly id: Uint8Array; readonly now: number },
): readonly Write[] {
  const { body, publicKey, signature } = login
  const { appid, client } = body
  const device = signature.keyid
  return [
    {
      kind: 'upsert-user',
      id: user,
      app: appid,
      openidWrapped: wrapUserSecret(context, user, 'openid', identity),
      sessionKeyWrapped: wrapUserSecret(context, user, 'sessionKey', identity),
      now,
    },
    { kind: 'admit-device', user, device, limit: context.maxDevices, seenAfter: now - deviceInUse },
    {
      kind: 'upsert-device',
      id: device,
      user,
      publicKey,
      now,
      ...(client?.platform === undefined ? {} : { platform: client.platform }),
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

async function refusalOfWrite(
  { store }: ExchangeContext,
  { kind }: Write,
  user: string,
  device: string,
): Promise<Error> {
  if (kind === 'admit-device') {
    return new ProblemError(
      'device_key_refused',
      'the user has reached the device limit: revoke a device first',
    )
  }
  if (kind !== 'upsert-device') return new Error(`the store refused ${kind} of a new session`)
  const taken = await store.findDevice(device)
  if (taken?.user === user && taken.revokedAt !== null) return keyRevoked()
  return new ProblemError('device_key_refused', 'the device key is enrolled for another user')
}

// Secrets of a user, wrapped in the user's row.

const columns = { openid: 'users.openid_wrapped', sessionKey: 'users.session_key_wrapped' } as const

type UserSecret = keyof typeof columns

function wrapUserSecret(
  { wrapper }: ExchangeContext,
  user: string,
  secret: UserSecret,
  identity: WechatIdentity,
): Uint8Array {
  return wrapper.wrap(encodeUtf8(identity[secret]), contextOf(user, secret))
}

/** @throws StoreUnavailable; Error when the secret cannot be unwrapped. */
export async function readUserSecret(
  { store, wrapper }: ExchangeContext,
  user: string,
  secret: UserSecret,
): Promise<string> {
  const record = await store.findUser(user)
  if (record === undefined) throw new Error('an active session has no user')
  return decodeUtf8(wrapper.unwrap(record[`${secret}Wrapped`], contextOf(user, secret)))
}

function contextOf(user: string, secret: UserSecret): SecretContext {
  return secretContext(columns[secret], [user])
}
