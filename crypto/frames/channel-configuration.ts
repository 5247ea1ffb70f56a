/** The channel configuration: the current keys of the service, signed with a root key (protocol, section 3). */
import { FormatError, ProtocolError, refuseFormat } from '../errors.ts'
import type { SignatureWindow } from '../http-signatures/signature-profile.ts'
import { decodeJsonObject, jsonArray, jsonObject, requiredNumber, requiredString } from '../json.ts'
import type { Primitives } from '../primitives/primitives.ts'
import { keyThumbprint } from '../primitives/thumbprint.ts'
import { decodeBase64Url, encodeAscii, encodeBase64Url, encodeUtf8 } from '../text.ts'

export const configurationType = 'miniseal-config+jws'

/** A published service key. Times are UNIX seconds; `exp` 0 means no expiry. */
export interface PublishedKey {
  readonly kid: string
  readonly publicKey: Uint8Array
  readonly nbf: number
  readonly exp: number
}

/** Maximum number of listed logs that have ended. */
export const maxEndedLogs = 16

/** The keys of the service's logs. A note key is bound to the name of its log, so each log has its own key. */
export interface LogKeys {
  /** The current log. */
  readonly origin: string
  /** Its verifier key (C2SP signed-note), as text. */
  readonly vkey: string
  /** Verifier keys of logs that have ended, newest first; absent when empty. */
  readonly ended?: readonly string[]
  /**
   * The witnesses that must cosign a checkpoint (C2SP tlog-policy, without its `log` lines), as text; absent when the
   * service requires none. Receipts are verified against it.
   */
  readonly policy?: string
}

/** The payload of `GET /.well-known/miniseal`. Times are UNIX seconds. */
export interface ChannelConfiguration {
  /** The public origin, for example `https://pay.example.com`. */
  readonly iss: string
  readonly iat: number
  readonly exp: number
  readonly version: 1
  readonly agreement: readonly PublishedKey[]
  readonly signing: readonly PublishedKey[]
  readonly log: LogKeys
  readonly window: SignatureWindow
  /** Bytes. */
  readonly maxFrame: number
}

/** The inner `@authority` of an origin: its host, and its port unless that is the default. @throws FormatError */
export function authorityOf(origin: string): string {
  const match = /^(https?):\/\/([a-z0-9.-]+|\[[0-9a-f:]+\])(?::([1-9][0-9]{0,4}))?$/.exec(origin)
  const [, scheme, host, port] = match ?? []
  if (scheme === undefined || host === undefined) throw new FormatError('not a lower-case origin')
  const defaultPort = scheme === 'https' ? '443' : '80'
  return port === undefined || port === defaultPort ? host : `${host}:${port}`
}

/** Signs a configuration as a compact JWS (RFC 7515, section 3.1; RFC 8037). */
export function signConfiguration(
  primitives: Primitives,
  configuration: ChannelConfiguration,
  root: { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array },
): string {
  const kid = keyThumbprint(primitives, root.publicKey)
  const keys = (list: readonly PublishedKey[]): unknown[] =>
    list.map((key) => ({ kid: key.kid, x: encodeBase64Url(key.publicKey), nbf: key.nbf, exp: key.exp }))
  const { maxFrame, ...rest } = configuration
  const payload = {
    ...rest,
    agreement: keys(configuration.agreement),
    signing: keys(configuration.signing),
    max_frame: maxFrame,
  }
  const input = [{ alg: 'EdDSA', typ: configurationType, kid }, payload]
    .map((part) => encodeBase64Url(encodeUtf8(JSON.stringify(part))))
    .join('.')
  return `${input}.${encodeBase64Url(primitives.ed25519Sign(encodeAscii(input), root.secretKey))}`
}

/**
 * Verifies and parses a channel configuration.
 *
 * @param jws attacker-controlled text
 * @param roots the pinned root keys, 32 bytes each
 * @param now UNIX seconds
 * @throws ProtocolError `key_unknown` for another root key, `signature_invalid`, `payload_invalid` when it is malformed
 *   or has expired.
 */
export function verifyConfiguration(
  primitives: Primitives,
  jws: string,
  roots: readonly Uint8Array[],
  now: number,
): ChannelConfiguration {
  return refuseFormat('payload_invalid', () => {
    const parts = jws.split('.')
    const [header = '', payload = '', signature = ''] = parts
    if (parts.length !== 3) throw new FormatError('the channel configuration is not a compact JWS')
    const kid = parseHeader(decodeJsonObject(decodeBase64Url(header)))
    const root = roots.find((key) => keyThumbprint(primitives, key) === kid)
    if (root === undefined)
      throw new ProtocolError('key_unknown', 'the channel configuration is signed with an unknown root key')
    const signed = encodeAscii(`${header}.${payload}`)
    if (!primitives.ed25519Verify(decodeBase64Url(signature), signed, root))
      throw new ProtocolError('signature_invalid', 'the channel configuration does not verify')
    const configuration = parseConfiguration(primitives, decodeJsonObject(decodeBase64Url(payload)))
    if (configuration.exp <= now) throw new FormatError('the channel configuration has expired')
    return configuration
  })
}

/** The `kid`. */
function parseHeader(header: Record<string, unknown>): string {
  const { alg, typ, ...rest } = header
  if (alg !== 'EdDSA' || typ !== configurationType || Object.keys(rest).join() !== 'kid')
    throw new FormatError('the channel configuration has an invalid header')
  return requiredString(rest, 'kid')
}

function parseConfiguration(primitives: Primitives, value: Record<string, unknown>): ChannelConfiguration {
  if (value.version !== 1) throw new FormatError('unsupported version of the channel configuration')
  const log = jsonObject(value.log)
  const window = jsonObject(value.window)
  const iss = requiredString(value, 'iss')
  authorityOf(iss)
  return {
    iss,
    iat: requiredNumber(value, 'iat'),
    exp: requiredNumber(value, 'exp'),
    version: 1,
    agreement: parseKeys(primitives, value.agreement, 'X25519'),
    signing: parseKeys(primitives, value.signing, 'Ed25519'),
    log: {
      origin: requiredString(log, 'origin'),
      vkey: requiredString(log, 'vkey'),
      ...parseEnded(log.ended),
      ...(log.policy === undefined ? {} : { policy: requiredString(log, 'policy') }),
    },
    window: { past: requiredNumber(window, 'past'), future: requiredNumber(window, 'future') },
    maxFrame: requiredNumber(value, 'max_frame'),
  }
}

function parseEnded(ended: unknown): Pick<LogKeys, 'ended'> {
  if (ended === undefined) return {}
  const keys = jsonArray(ended)
  if (keys.length > maxEndedLogs) throw new FormatError('too many ended logs')
  return { ended: keys.map((vkey) => requiredString({ vkey }, 'vkey')) }
}

function parseKeys(
  primitives: Primitives,
  value: unknown,
  curve: 'Ed25519' | 'X25519',
): readonly PublishedKey[] {
  if (!Array.isArray(value) || value.length === 0) throw new FormatError('no service keys')
  return value.map((entry: unknown) => {
    const key = jsonObject(entry)
    const publicKey = decodeBase64Url(requiredString(key, 'x'))
    const kid = requiredString(key, 'kid')
    if (keyThumbprint(primitives, publicKey, curve) !== kid)
      throw new FormatError('a kid is not the thumbprint of its key')
    return { kid, publicKey, nbf: requiredNumber(key, 'nbf'), exp: requiredNumber(key, 'exp') }
  })
}
