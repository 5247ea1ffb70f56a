/** The channel configuration: which keys the service uses now, signed by a pinned root key (protocol, section 3). */
import { FormatError, ProtocolError, refuseFormat } from '../errors.ts'
import type { SignatureWindow } from '../http-signatures/signed-request.ts'
import type { Primitives } from '../primitives/primitives.ts'
import { keyThumbprint } from '../primitives/thumbprint.ts'
import { decodeBase64Url, decodeUtf8, encodeAscii, encodeBase64Url, encodeUtf8 } from '../text.ts'

export const configurationType = 'miniseal-config+jws'

/** A published service key; times in UNIX seconds, `exp` 0 for no end. */
export interface PublishedKey {
  readonly kid: string
  readonly publicKey: Uint8Array
  readonly nbf: number
  readonly exp: number
}

/** So many logs that have ended are named at most. */
export const maxEndedLogs = 16

/** Which logs are the service's. A key of a note is bound to its log's name, so that each log has its own. */
export interface LogKeys {
  /** Of the log that is written to. */
  readonly origin: string
  /** Its verifier key (C2SP signed-note), as text. */
  readonly vkey: string
  /** Verifier keys of logs that have ended, the newest first; absent when empty. */
  readonly ended?: readonly string[]
  /**
   * Which witnesses must have cosigned a checkpoint (C2SP tlog-policy, without its `log` lines), as text; absent where the
   * service asks for none. Who checks a receipt holds the log to it.
   */
  readonly policy?: string
}

/** What `GET /.well-known/miniseal` states; times in UNIX seconds. */
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

/** The inner `@authority`: the host and, where it is not the default, the port of an origin. */
export function authorityOf(origin: string): string {
  const match = /^(https?):\/\/([a-z0-9.-]+|\[[0-9a-f:]+\])(?::([1-9][0-9]{0,4}))?$/.exec(origin)
  const [, scheme, host, port] = match ?? []
  if (scheme === undefined || host === undefined) throw new FormatError('not an origin in lower case')
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
 * Verifies and reads a channel configuration.
 *
 * @param jws attacker-controlled text
 * @param roots the pinned root keys, 32 bytes each
 * @param now UNIX seconds
 * @throws ProtocolError `key_unknown` for another root, `signature_invalid`, `payload_invalid` for another form or
 *   for one that has ended.
 */
export function verifyConfiguration(
  primitives: Primitives,
  jws: string,
  roots: readonly Uint8Array[],
  now: number,
): ChannelConfiguration {
  const parts = jws.split('.')
  const [header, payload, signature] = parts
  if (parts.length !== 3 || header === undefined || payload === undefined || signature === undefined) {
    throw new ProtocolError('payload_invalid', 'the channel configuration is not a compact JWS')
  }
  const kid = parseHeader(parseJsonPart(header))
  const root = roots.find((key) => keyThumbprint(primitives, key) === kid)
  if (root === undefined)
    throw new ProtocolError('key_unknown', 'no pinned root key signed the channel configuration')
  const signed = refuseFormat('payload_invalid', () => encodeAscii(`${header}.${payload}`))
  const bytes = refuseFormat('payload_invalid', () => decodeBase64Url(signature))
  if (!primitives.ed25519Verify(bytes, signed, root)) {
    throw new ProtocolError('signature_invalid', 'the channel configuration does not verify')
  }
  const configuration = refuseFormat('payload_invalid', () =>
    parseConfiguration(primitives, parseJsonPart(payload)),
  )
  if (configuration.exp <= now)
    throw new ProtocolError('payload_invalid', 'the channel configuration has ended')
  return configuration
}

function parseJsonPart(part: string): Record<string, unknown> {
  const text = refuseFormat('payload_invalid', () => decodeUtf8(decodeBase64Url(part)))
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new ProtocolError('payload_invalid', 'the channel configuration is not JSON', error)
  }
  return refuseFormat('payload_invalid', () => record(value))
}

function parseHeader(header: Record<string, unknown>): string {
  const isExact =
    Object.keys(header).length === 3 && header.alg === 'EdDSA' && header.typ === configurationType
  if (!isExact || typeof header.kid !== 'string') {
    throw new ProtocolError('payload_invalid', 'the header of the channel configuration is not as it must be')
  }
  return header.kid
}

function parseConfiguration(primitives: Primitives, value: Record<string, unknown>): ChannelConfiguration {
  if (value.version !== 1) throw new FormatError('unknown version of the channel configuration')
  const log = record(value.log)
  const window = record(value.window)
  const iss = text(value.iss)
  authorityOf(iss)
  return {
    iss,
    iat: count(value.iat),
    exp: count(value.exp),
    version: 1,
    agreement: parseKeys(primitives, value.agreement, 'X25519'),
    signing: parseKeys(primitives, value.signing, 'Ed25519'),
    log: {
      origin: text(log.origin),
      vkey: text(log.vkey),
      ...parseEnded(log.ended),
      ...(log.policy === undefined ? {} : { policy: text(log.policy) }),
    },
    window: { past: count(window.past), future: count(window.future) },
    maxFrame: count(value.max_frame),
  }
}

/** Empty texts and more members than a client should have to try are refused, as what is no list. */
function parseEnded(ended: unknown): Pick<LogKeys, 'ended'> {
  if (ended === undefined) return {}
  if (!Array.isArray(ended) || ended.length > maxEndedLogs) throw new FormatError('not a list of ended logs')
  return { ended: ended.map(text) }
}

function parseKeys(
  primitives: Primitives,
  value: unknown,
  curve: 'Ed25519' | 'X25519',
): readonly PublishedKey[] {
  if (!Array.isArray(value) || value.length === 0) throw new FormatError('no service key is published')
  return value.map((entry: unknown) => {
    const key = record(entry)
    const publicKey = decodeBase64Url(text(key.x))
    const kid = text(key.kid)
    if (keyThumbprint(primitives, publicKey, curve) !== kid)
      throw new FormatError('a kid is not its thumbprint')
    return { kid, publicKey, nbf: count(key.nbf), exp: count(key.exp) }
  })
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new FormatError('not an object')
  return value as Record<string, unknown>
}

function text(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new FormatError('not a text')
  return value
}

function count(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new FormatError('not a count')
  return value as number
}
