/** The handshake: a new login code and the device key become a session (protocol, section 6). */

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
import type { ChannelErrorCode } from './error-texts.ts'
import { ChannelError } from './errors.ts'
import { findRefusal } from './problem.ts'
import type { RecoveryStep } from './recovery.ts'
import { withRecovery } from './recovery.ts'
import { assertFrameFits, postFrame } from './send.ts'
import { parseLoginAnswer, Session } from './session.ts'
import { verifyAnswer } from './verify-answer.ts'
import { verifying } from './verifying.ts'

/**
 * Logs in. A wrong clock and a retired agreement key are each put right once, with a new login code: a code is never
 * sent twice, whatever became of it.
 *
 * @throws ChannelError the service's refusal, `login_failed`, or what kept the handshake from happening.
 */
export async function logIn(environment: Environment, configurations: Configurations): Promise<Session> {
  let configuration: ChannelConfiguration | undefined
  const attempt = async (): Promise<Session> => {
    configuration = await configurations.current()
    return shakeHands(environment, configurations, configuration)
  }
  return withRecovery(
    attempt,
    new Map<ChannelErrorCode, RecoveryStep>([
      ['window_invalid', (error) => correctClock(environment, error)],
      [
        'unknown_agreement_key',
        async () => {
          if (configuration !== undefined) await configurations.newerThan(configuration)
          return true
        },
      ],
    ]),
  )
}

/** The remedy for `window_invalid`: takes over the time at which the service signed its refusal. */
export function correctClock({ clock }: Environment, error: ChannelError): boolean {
  if (error.time === undefined) return false
  clock.learn(error.time)
  return true
}

async function shakeHands(
  environment: Environment,
  configurations: Configurations,
  configuration: ChannelConfiguration,
): Promise<Session> {
  const device = await loadDeviceKey(environment)
  const code = await environment.login()
  await environment.random.ready()
  const { request, response, keys } = await exchangeHandshake(environment, configuration, device, code)
  const answeredAt = await verifyAnswer(environment, configurations, request, response)
  // A login has no effect that a second one would repeat.
  const refusal = findRefusal(response, false, answeredAt)
  if (refusal !== undefined) throw refusal
  if (response.status !== 201)
    throw new ChannelError('unexpected_answer', 'the login was not answered as agreed')
  const answer = parseLoginAnswer(response.content, device)
  environment.clock.learn(answeredAt)
  return new Session(answer, keys, device, environment.clock.seconds())
}

async function signedLogin(
  environment: Environment,
  device: DeviceKey,
  code: string,
  handshake: Uint8Array,
): Promise<RequestMessage> {
  const primitives = await environment.loadPrimitives()
  const body = {
    appid: environment.appid,
    code,
    handshake: encodeBase64Url(handshake),
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
  const handshake = handshakeHash(primitives, agreementKey, ephemeral.publicKey)
  const request = await signedLogin(environment, device, code, handshake)
  const plaintext = padMessage(encodeRequest(request))
  const nonce = random.take(suite1.boxNonceLength)
  const { frame, state } = verifying(() => {
    return sealHandshakeRequest(primitives, agreementKey, ephemeral, nonce, plaintext)
  })
  assertFrameFits(frame, configuration.maxFrame)
  try {
    const answer = await environment.queue.run('high', () => {
      return postFrame(environment, frame, configuration.maxFrame)
    })
    return verifying(() => {
      if (answer.kind !== 'handshake-response') {
        throw new ChannelError('not_verified', 'the handshake was answered with another frame')
      }
      const keys = deriveSession(primitives, state, secretKey, answer.ephemeral, answer.ephemeral)
      const response = parseResponse(openHandshakeResponse(primitives, keys.responseKey, answer))
      return { request, response, keys: keys.session }
    })
  } finally {
    wipe(secretKey)
  }
}
