/** Login: a handshake with a login code and the device key opens a session (protocol, section 6). */

import { wipe } from 'miniseal-protocol/bytes'
import type { RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { encodeRequest, parseResponse } from 'miniseal-protocol/frames/binary-http'
import type { ChannelConfiguration } from 'miniseal-protocol/frames/channel-configuration'
import {
  deriveSession,
  handshakeHash,
  openHandshakeResponse,
  sealHandshakeRequest,
} from 'miniseal-protocol/frames/handshake'
import { padMessage } from 'miniseal-protocol/frames/padding'
import type { SessionKeys } from 'miniseal-protocol/frames/session-keys'
import { signRequest } from 'miniseal-protocol/http-signatures/signed-request'
import { suite1 } from 'miniseal-protocol/primitives/suite'
import { encodeBase64Url, encodeUtf8 } from 'miniseal-protocol/text'
import type { Configurations } from './configurations.ts'
import { agreementKeyAt } from './configurations.ts'
import type { DeviceKey } from './device-key.ts'
import { loadDeviceKey } from './device-key.ts'
import type { Environment } from './environment.ts'
import { sdkVersion } from './environment.ts'
import { ChannelError, verifyOrThrow } from './errors.ts'
import { assertFrameFits, postFrame } from './post-frame.ts'
import { findRefusal } from './problem.ts'
import { withRecovery } from './retries.ts'
import { parseLoginAnswer, Session } from './session.ts'

/**
 * Logs in. Recovers once from clock skew and once from a retired agreement key, each time with a new login code; a code
 * is never sent twice.
 *
 * @throws ChannelError the service's refusal, `login_failed`, or the failure of the handshake.
 */
export async function logIn(environment: Environment, configurations: Configurations): Promise<Session> {
  let configuration: ChannelConfiguration | undefined
  const attempt = async (): Promise<Session> => {
    configuration = await configurations.current()
    return handshake(environment, configurations, configuration)
  }
  return withRecovery(attempt, {
    window_invalid: (error) => correctClock(environment, error),
    unknown_agreement_key: () => configuration && configurations.newerThan(configuration),
  })
}

/** Recovery from `window_invalid`: adopts the time at which the service signed the refusal. */
export function correctClock({ clock }: Environment, { time }: ChannelError): void {
  if (time !== undefined) clock.synchronize(time)
}

async function handshake(
  environment: Environment,
  configurations: Configurations,
  configuration: ChannelConfiguration,
): Promise<Session> {
  const device = await loadDeviceKey(environment)
  const code = await environment.login()
  await environment.random.ready()
  const { request, response, keys } = await exchangeHandshake(environment, configuration, device, code)
  const answeredAt = await configurations.verify(request, response)
  // A login may be repeated, so it is treated as safe.
  const refusal = findRefusal(response, false, answeredAt)
  if (refusal !== undefined) throw refusal
  if (response.status !== 201) throw new ChannelError('unexpected_answer', 'unexpected status of a login')
  const answer = parseLoginAnswer(response.content, device)
  environment.clock.synchronize(answeredAt)
  return new Session(answer, keys, device, environment.clock.seconds())
}

async function signedLogin(
  environment: Environment,
  device: DeviceKey,
  code: string,
  hash: Uint8Array,
): Promise<RequestMessage> {
  const primitives = await environment.loadPrimitives()
  const body = {
    appid: environment.appid,
    code,
    handshake: encodeBase64Url(hash),
    device: { kty: 'OKP', crv: 'Ed25519', x: encodeBase64Url(device.publicKey) },
    client: { platform: environment.platform.platform, sdk: sdkVersion, base: environment.platform.base },
  }
  const message: RequestMessage = {
    method: 'POST',
    scheme: 'https',
    authority: environment.authority,
    path: '/sessions',
    fields: [['content-type', 'application/json']],
    content: encodeUtf8(JSON.stringify(body)),
  }
  const nonce = environment.random.take(suite1.signatureNonceLength)
  return signRequest(primitives, message, device, environment.clock.seconds(), nonce)
}

async function exchangeHandshake(
  environment: Environment,
  configuration: ChannelConfiguration,
  device: DeviceKey,
  code: string,
): Promise<{ request: RequestMessage; response: ResponseMessage; keys: SessionKeys }> {
  const primitives = await environment.loadPrimitives()
  const { random, clock } = environment
  const secretKey = random.take(suite1.keyLength)
  const ephemeral = { secretKey, publicKey: primitives.x25519PublicKey(secretKey) }
  const agreementKey = agreementKeyAt(configuration, clock.seconds()).publicKey
  const hash = handshakeHash(primitives, agreementKey, ephemeral.publicKey)
  const request = await signedLogin(environment, device, code, hash)
  const plaintext = padMessage(encodeRequest(request))
  const nonce = random.take(suite1.boxNonceLength)
  const { frame, state } = verifyOrThrow(() =>
    sealHandshakeRequest(primitives, agreementKey, ephemeral, nonce, plaintext),
  )
  assertFrameFits(frame, configuration.maxFrame)
  try {
    const answer = await environment.queue.run('high', () =>
      postFrame(environment, frame, configuration.maxFrame),
    )
    if (answer.kind !== 'handshake-response')
      throw new ChannelError('not_verified', 'not a handshake response')
    return verifyOrThrow(() => {
      const keys = deriveSession(primitives, state, secretKey, answer.ephemeral, answer.ephemeral)
      const response = parseResponse(openHandshakeResponse(primitives, keys.responseKey, answer))
      return { request, response, keys: keys.session }
    })
  } finally {
    wipe(secretKey)
  }
}
