/** Published keys: the channel configuration, two JWK Sets, the log's verifier key. */
import {
  type ChannelConfiguration,
  type LogKeys,
  maxEndedLogs,
  type PublishedKey,
  signConfiguration,
} from 'miniseal-protocol/frames/channel-configuration'
import type { SignatureWindow } from 'miniseal-protocol/http-signatures/signed-request'
import { encodeBase64Url } from 'miniseal-protocol/text'
import { encodeVerifierKey } from 'miniseal-protocol/tlog/signed-note'
import type { ServiceKeyKind } from '../store/service-keys.ts'
import { configurationLifetime, type Keyring, type ServiceKey } from './keyring.ts'
import { sodiumPrimitives } from './sodium-primitives.ts'

/** The channel configuration without its keys. */
export interface ChannelSettings {
  readonly origin: string
  readonly window: SignatureWindow
  /** Bytes. */
  readonly maxFrame: number
  /** The witnesses whose cosignatures a receipt needs: see `LogKeys`. Absent: none. */
  readonly witnessPolicy?: string | undefined
}

/** The names of a service's logs. */
export interface LogNames {
  /** The origin of the current log. */
  readonly origin: string
  /** The origins of ended logs, the newest first. */
  readonly ended: readonly string[]
}

/** A note verifier key: `name+hex(key id)+base64(0x01 ‖ key)` (C2SP signed-note). */
export function noteVerifierKey(name: string, publicKey: Uint8Array): string {
  return encodeVerifierKey(sodiumPrimitives, { kind: 'ed25519', name, publicKey })
}

/**
 * The log key of a configuration made at `now`: the newest one that has signed for a configuration's lifetime.
 *
 * After a rotation every checkpoint has signatures of both keys. The new key is announced after a day, when every checkpoint
 * that clients receive, from any process, has its signature. The old key signs for another day, for clients whose
 * configuration has it. So every client finds a signature that it can verify.
 *
 * When no key is that old, on the first day or after a revocation, it is the oldest one.
 *
 * @throws KeyMissing.
 */
export function announcedLogKey(keyring: Keyring, now: number): ServiceKey {
  const signing = keyring.published('log', now).filter(({ notBefore }) => notBefore <= now)
  const established = signing.find(({ notBefore }) => notBefore + configurationLifetime <= now)
  return established ?? signing.at(-1) ?? keyring.current('log', now)
}

/**
 * The keys that verify the service's logs at `now`: the announced one for the current log, and each log key in use for the
 * ended logs. Revoked keys are excluded: a thief could sign for an ended log forever.
 */
export function publishedLogKeys(keyring: Keyring, { origin, ended }: LogNames, now: number): LogKeys {
  const { publicKey } = announcedLogKey(keyring, now)
  const keys = keyring.published('log', now).filter(({ notBefore }) => notBefore <= now)
  const former = ended.flatMap((name) => keys.map((key) => noteVerifierKey(name, key.publicKey)))
  return {
    origin,
    vkey: noteVerifierKey(origin, publicKey),
    ...(former.length === 0 ? {} : { ended: former.slice(0, maxEndedLogs) }),
  }
}

/** The compact JWS of `GET /.well-known/miniseal` at `now`, signed by the current root key. */
export function channelConfiguration(
  keyring: Keyring,
  settings: ChannelSettings,
  logs: LogNames,
  now: number,
): string {
  const configuration: ChannelConfiguration = {
    iss: settings.origin,
    iat: now,
    exp: now + configurationLifetime,
    version: 1,
    agreement: published(keyring, 'agreement', now),
    signing: published(keyring, 'signing', now),
    log: { ...publishedLogKeys(keyring, logs, now), ...policyOf(settings) },
    window: settings.window,
    maxFrame: settings.maxFrame,
  }
  return signConfiguration(sodiumPrimitives, configuration, keyring.current('root', now))
}

function policyOf({ witnessPolicy }: ChannelSettings): Pick<LogKeys, 'policy'> {
  return witnessPolicy === undefined ? {} : { policy: witnessPolicy }
}

/** The keys of a kind in the form of the configuration, the current one first. */
export function published(keyring: Keyring, kind: ServiceKeyKind, now: number): readonly PublishedKey[] {
  return keyring
    .published(kind, now)
    .map(({ kid, publicKey, notBefore, notAfter }) => ({ kid, publicKey, nbf: notBefore, exp: notAfter }))
}

/** The `miniseal_use` of a JWK. No key serves two purposes. */
export type KeyPurpose = 'token' | 'message'

const kindOf: Readonly<Record<KeyPurpose, ServiceKeyKind>> = { token: 'token', message: 'signing' }

/** The JWK Set of the keys of one purpose (RFC 7517, section 5; RFC 8037). */
export function jsonWebKeySet(
  keyring: Keyring,
  purpose: KeyPurpose,
  now: number,
): { readonly keys: readonly Record<string, string>[] } {
  const keys = keyring.published(kindOf[purpose], now)
  return {
    keys: keys.map(({ kid, publicKey }) => ({
      kty: 'OKP',
      crv: 'Ed25519',
      alg: 'EdDSA',
      use: 'sig',
      miniseal_use: purpose,
      kid,
      x: encodeBase64Url(publicKey),
    })),
  }
}
